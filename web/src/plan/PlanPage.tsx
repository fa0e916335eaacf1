import { Button } from "@mantine/core";
import { useState } from "react";
import { useOwnPlan, usePlans } from "@/api/plans";
import type { OwnPlan, Terms } from "@/api/types";
import { Refusal } from "@/overview/Refusal";
import { headOf } from "@/places";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { TimeAgo } from "@/shared/TimeAgo";
import { ChangePlan } from "./ChangePlan";
import { ComparisonOutline, PlanComparison } from "./PlanComparison";
import { PlanSummary, SummaryOutline } from "./PlanSummary";
import styles from "./plan.module.css";
import { mayTake } from "./terms";

/** What one's plan allows, what of it is used, and what the others would allow. */
export function PlanPage() {
  const own = useOwnPlan();
  const plans = usePlans();
  const [wished, setWished] = useState<Terms>();
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
          {({ plan, limits }) => (
            <>
              {!limits.canMakeRequest && <Refusal limits={limits} isOnPlan />}
              <Panel>
                <PlanSummary title="Your plan" of={{ plan, limits }}>
                  <Ending plan={plan} keep={() => setWished(plan)} />
                </PlanSummary>
              </Panel>
            </>
          )}
        </Loaded>
        <Panel title="All plans" flush>
          <Loaded query={plans} skeleton={<ComparisonOutline />}>
            {(found) => (
              <PlanComparison
                plans={found}
                own={own.data?.plan.name}
                action={(plan) =>
                  own.data !== undefined &&
                  mayTake(plan, own.data.plan) && <TakePlan plan={plan} onTake={() => setWished(plan)} />
                }
              />
            )}
          </Loaded>
        </Panel>
        <p className={styles.soft}>
          A plan without a button comes from whoever runs this service; ask there.
        </p>
      </div>
      {wished !== undefined && (
        <ChangePlan
          plan={wished}
          isOwn={wished.name === own.data?.plan.name}
          onClose={() => setWished(undefined)}
        />
      )}
    </>
  );
}

function TakePlan({ plan, onTake }: { plan: Terms; onTake: () => void }) {
  return (
    <Button
      className={styles.take ?? ""}
      size="compact-xs"
      variant="default"
      aria-label={`Change to ${plan.name}`}
      onClick={onTake}
    >
      Change
    </Button>
  );
}

/** When the plan ends, what follows, and a way to keep it where that was one's own wish. */
function Ending({ plan, keep }: { plan: OwnPlan["plan"]; keep: () => void }) {
  if (plan.expiresAt == null) return null;
  return (
    <p className={styles.soft}>
      Ends <TimeAgo at={plan.expiresAt} />
      {plan.nextPlan != null && (
        <>
          , then {plan.nextPlan === plan.name ? "monthly" : plan.nextPlan} ·{" "}
          <Button className={styles.keep ?? ""} size="compact-xs" variant="default" onClick={keep}>
            Keep {plan.name}
          </Button>
        </>
      )}
    </p>
  );
}
