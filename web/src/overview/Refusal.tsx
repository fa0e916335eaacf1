import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { usePlans } from "@/api/plans";
import type { Limits, Terms } from "@/api/types";
import { compact, count, money, plural } from "@/shared/format";
import { TimeAgo } from "@/shared/TimeAgo";
import styles from "./overview.module.css";

interface Reached {
  title: string;
  used: string;
  resetsAt: string;
  /** What a plan allows of it; null is no limit. */
  allowed: (terms: Terms) => number | null;
  limit: number;
  write: (amount: number) => string;
  unit: string;
}

/** Why no request is let through now, until when, and what would change it. */
export function Refusal({ limits, isOnPlan = false }: { limits: Limits; isOnPlan?: boolean }) {
  const plans = usePlans().data ?? [];
  if (limits.reason === "inactive")
    return (
      <section className={styles.refusal}>
        <div>
          <h2>This account is switched off</h2>
          <p>Requests are refused until whoever runs this service switches it on again.</p>
        </div>
      </section>
    );
  const reached = reachedOf(limits);
  const better = plans.find((terms) => {
    const allowed = reached.allowed(terms);
    return terms.name !== limits.planName && (allowed === null || allowed > reached.limit);
  });
  return (
    <section className={styles.refusal} aria-live="polite">
      <div>
        <h2>{reached.title}</h2>
        <p>
          {reached.used}. New requests are refused; the limit resets <TimeAgo at={reached.resetsAt} />.
          {better !== undefined && ` The ${better.name} plan ${more(reached.allowed(better), reached)}.`}
        </p>
      </div>
      {!isOnPlan && (
        <Button component={Link} to="/plan" variant="default" size="xs">
          Compare plans
        </Button>
      )}
    </section>
  );
}

const more = (allowed: number | null, { write, unit }: Reached): string =>
  allowed === null ? "has no such limit" : `allows ${write(allowed)}${unit}`;

const sum = (
  used: number | undefined,
  limit: number | null | undefined,
  one: string,
  write: typeof count,
): string =>
  `${write(used)} of ${write(limit)} ${plural(limit ?? 0, one)} ${limit === 1 ? "is" : "are"} used`;

function reachedOf(limits: Limits): Reached {
  const { daily, monthly } = limits.resetsAt;
  switch (limits.reason) {
    case "daily":
      return {
        title: "Today's requests are used up",
        used: sum(limits.dailyUsed, limits.dailyLimit, "request", count),
        resetsAt: daily,
        allowed: (terms) => terms.dailyRequests,
        limit: limits.dailyLimit ?? 0,
        write: count,
        unit: " a day",
      };
    case "tokens":
      return {
        title: "This month's tokens are used up",
        used: sum(limits.monthlyTokensUsed, limits.monthlyTokensLimit, "token", compact),
        resetsAt: monthly,
        allowed: (terms) => terms.monthlyTokens,
        limit: limits.monthlyTokensLimit ?? 0,
        write: compact,
        unit: " tokens a month",
      };
    case "cost":
      return {
        title: "This month's money is used up",
        used: `${money(limits.monthlyCostUsed)} of ${money(limits.monthlyCostLimit)} is spent`,
        resetsAt: monthly,
        allowed: (terms) => terms.monthlyCost,
        limit: limits.monthlyCostLimit ?? 0,
        write: money,
        unit: " a month",
      };
    default:
      return {
        title: "This month's requests are used up",
        used: sum(limits.monthlyUsed, limits.monthlyLimit, "request", count),
        resetsAt: monthly,
        allowed: (terms) => terms.monthlyRequests,
        limit: limits.monthlyLimit ?? 0,
        write: count,
        unit: " a month",
      };
  }
}
