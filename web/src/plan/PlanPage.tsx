import { Button } from "@mantine/core";
import { useState } from "react";
import { useIsActing } from "@/api/account";
import { useOwnPlan, usePlans } from "@/api/plans";
import type { Offer, OwnPlan, Terms } from "@/api/types";
import { Refusal } from "@/overview/Refusal";
import { isRefused } from "@/overview/reached";
import { headOf } from "@/places";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { planTitle } from "@/shared/planTitle";
import { dayOf, exactTime } from "@/shared/times";
import { Ends } from "@/shared/Until";
import { BuyPlan } from "./BuyPlan";
import { ChangePlan } from "./ChangePlan";
import { ComparisonOutline, PlanComparison } from "./PlanComparison";
import { PlanSummary, SummaryOutline } from "./PlanSummary";
import styles from "./plan.module.css";
import { Subscription } from "./Subscription";
import { type Way, wayTo } from "./terms";

/** What one's plan allows, what of it is used, and what the others would allow. */
export function PlanPage() {
  const own = useOwnPlan();
  const plans = usePlans();
  // Once it is known which of them is one's own, so that nothing moves.
  const catalogue = { ...plans, data: own.isPending ? undefined : plans.data };
  const isActing = useIsActing();
  const [wished, setWished] = useState<{ plan: Terms; isKept: boolean }>();
  const [bought, setBought] = useState<Offer>();
  return (
    <>
      <PageHeader {...headOf("/plan")} />
      <div className={styles.stack}>
        <Loaded
          query={own}
          skeleton={
            <Panel>
              <SummaryOutline title="Your plan" />
            </Panel>
          }
        >
          {(found) => (
            <>
              {isRefused(found.limits) && <Refusal limits={found.limits} isOnPlan />}
              <Panel>
                <PlanSummary title="Your plan" of={found}>
                  <Ending of={found} keep={() => setWished({ plan: found.plan, isKept: true })} />
                  {found.subscription !== null && !isActing && <Subscription of={found.subscription} />}
                </PlanSummary>
              </Panel>
            </>
          )}
        </Loaded>
        <Panel title="All plans" flush>
          <Loaded query={catalogue} skeleton={<ComparisonOutline />}>
            {(found) => (
              <PlanComparison
                plans={found}
                own={own.data?.plan.name}
                action={(plan) => {
                  if (own.data && follows(plan, own.data)) return <From at={own.data.plan.expiresAt} />;
                  const way = own.data && wayTo(plan, own.data);
                  if (way === undefined || (way === "buy" && isActing)) return null;
                  return (
                    <WayTo
                      plan={plan}
                      by={way}
                      go={() =>
                        way === "buy"
                          ? setBought(plan)
                          : setWished({ plan: inCycle(plan, way), isKept: false })
                      }
                    />
                  );
                }}
              />
            )}
          </Loaded>
        </Panel>
        {own.data !== undefined && catalogue.data !== undefined && (
          <p className={styles.soft}>
            {own.data.subscription === "running"
              ? "Your plan is paid by subscription: change and cancel it there."
              : "A plan without a button comes from whoever runs this service; ask there."}
          </p>
        )}
      </div>
      {wished !== undefined && own.data !== undefined && (
        <ChangePlan own={own.data} {...wished} onClose={() => setWished(undefined)} />
      )}
      {bought !== undefined && <BuyPlan plan={bought} onClose={() => setBought(undefined)} />}
    </>
  );
}

const WAYS: Record<Way, { label: string; of: (title: string) => string }> = {
  take: { label: "Change", of: (title) => `Change to ${title}` },
  buy: { label: "Buy", of: (title) => `Buy ${title}` },
  monthly: { label: "Pay monthly", of: (title) => `Pay ${title} monthly` },
  yearly: { label: "Pay yearly", of: (title) => `Pay ${title} yearly` },
};

function WayTo({ plan, by, go }: { plan: Terms; by: Way; go: () => void }) {
  const { label, of } = WAYS[by];
  return (
    <Button
      className={styles.take ?? ""}
      size="compact-sm"
      variant={by === "buy" ? "light" : "default"}
      aria-label={of(planTitle(plan.name))}
      onClick={go}
    >
      {label}
    </Button>
  );
}

/** The plan, to be paid in a cycle that was chosen already. */
const inCycle = (plan: Terms, way: Way): Terms =>
  way === "monthly" || way === "yearly" ? { ...plan, billingCycle: way } : plan;

/** Whether a plan is what one has arranged to come after one's own. */
const follows = (plan: Terms, { plan: own }: OwnPlan): boolean =>
  own.nextPlan === plan.name && own.name !== plan.name;

function From({ at }: { at: string | null }) {
  if (at === null) return null;
  return (
    <time className={styles.from} dateTime={at} title={exactTime(at)}>
      From {dayOf(at)}
    </time>
  );
}

/** When the plan ends, what follows, and a way to keep it where that was one's own wish. */
function Ending({ of: { plan, subscription }, keep }: { of: OwnPlan; keep: () => void }) {
  if (plan.expiresAt == null) return null;
  const next = plan.nextPlan;
  return (
    <>
      <p className={styles.soft}>
        <Ends at={plan.expiresAt} />
        {next != null && `, then ${next === plan.name ? "monthly" : planTitle(next)}`}
      </p>
      {next != null && subscription !== "running" && (
        <Button className={styles.keep ?? ""} size="compact-sm" variant="default" onClick={keep}>
          Keep {planTitle(plan.name)}
        </Button>
      )}
    </>
  );
}
