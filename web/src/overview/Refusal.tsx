import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useOwnPlan, usePlans } from "@/api/plans";
import type { Limits, Terms } from "@/api/types";
import { planTitle } from "@/shared/planTitle";
import { TimeAgo } from "@/shared/TimeAgo";
import styles from "./overview.module.css";
import { isExcepted, type Reached, reachedIn, upgradeFrom } from "./reached";

/** Why no request is let through now, until when, and what would change it. */
export function Refusal({ limits, isOnPlan = false }: { limits: Limits; isOnPlan?: boolean }) {
  if (limits.reason === "inactive")
    return (
      <ForGood title="This account is switched off">
        Requests are refused until whoever runs this service switches it on again.
      </ForGood>
    );
  const none = NONE[limits.reason ?? ""];
  if (none !== undefined)
    return (
      <ForGood title="No requests are allowed">
        The limit is none {none}. Requests are refused until another limit or plan holds.
      </ForGood>
    );
  return <UsedUp limits={limits} isOnPlan={isOnPlan} />;
}

/** Limits that are over before one reads of them, unless they allow nothing. */
const NONE: Record<string, string> = { perMinute: "a minute", concurrent: "at a time" };

/** What no reset ends. */
function ForGood({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles.refusal}>
      <div>
        <h2>{title}</h2>
        <p>{children}</p>
      </div>
    </section>
  );
}

const inWords = new Intl.ListFormat("en");

function UsedUp({ limits, isOnPlan }: { limits: Limits; isOnPlan: boolean }) {
  const plans = usePlans().data;
  const own = useOwnPlan().data?.plan;
  const reached = reachedIn(limits);
  const better = plans && own && upgradeFrom(plans, limits, own);
  const lasts = reached.map(({ resetsAt }) => resetsAt).toSorted((a, b) => Date.parse(b) - Date.parse(a));
  return (
    <section className={styles.refusal} aria-live="polite">
      <div>
        <h2>{titleOf(reached)}</h2>
        <p>
          {reached.map(({ used }) => used).join("; ")}. New requests are refused;{" "}
          {reached.length === 1 ? "the limit" : "the last of these limits"} resets{" "}
          <TimeAgo at={lasts[0] ?? limits.resetsAt.monthly} />.
          {better !== undefined && <Better plan={better} reached={reached} />}
          {own !== undefined && isExcepted(limits, own) && (
            <> An exception of whoever runs this service holds in place of the plan: ask there for more.</>
          )}
        </p>
      </div>
      {!isOnPlan && better !== undefined && (
        <Button component={Link} to="/plan" variant="default" size="xs">
          Compare plans
        </Button>
      )}
    </section>
  );
}

function titleOf(reached: Reached[]): string {
  const all = inWords.format(reached.map(({ what }) => what));
  const are = reached.length === 1 && all.endsWith("money") ? "is" : "are";
  return `${all.charAt(0).toUpperCase()}${all.slice(1)} ${are} used up`;
}

function Better({ plan, reached }: { plan: Terms; reached: Reached[] }) {
  const limits = reached.length === 1 ? "limit" : "limits";
  const has = reached.every(({ hasNoneIn }) => hasNoneIn(plan))
    ? `has no such ${limits}`
    : `allows ${inWords.format(reached.map(({ allowedBy }) => allowedBy(plan)))}`;
  return (
    <>
      {" "}
      The <bdi>{planTitle(plan.name)}</bdi> plan {has}.
    </>
  );
}
