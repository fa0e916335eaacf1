import { useOwnPlan, usePlans } from "@/api/plans";
import { Meters, MetersOutline } from "@/overview/LimitMeters";
import { Refusal } from "@/overview/Refusal";
import { headOf } from "@/places";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { TimeAgo } from "@/shared/TimeAgo";
import { ComparisonOutline, PlanComparison } from "./PlanComparison";
import styles from "./plan.module.css";
import { priceOf, textsOf } from "./terms";

/** What one's plan allows, what of it is used, and what the others would allow. */
export function PlanPage() {
  const own = useOwnPlan();
  const plans = usePlans();
  return (
    <>
      <PageHeader {...headOf("/plan")} />
      <div className={styles.stack}>
        <Loaded query={own} skeleton={<OwnOutline />}>
          {({ plan, limits }) => (
            <>
              {!limits.canMakeRequest && <Refusal limits={limits} isOnPlan />}
              <Panel>
                <div className={styles.own}>
                  <div>
                    <p className={styles.soft}>Your plan</p>
                    <p className={styles.name}>{plan.name}</p>
                    <p>{priceOf(plan)}</p>
                    {plan.expiresAt != null && (
                      <p className={styles.soft}>
                        Ends <TimeAgo at={plan.expiresAt} />
                      </p>
                    )}
                    {plan.maxTokensPerRequest != null && (
                      <p className={styles.soft}>
                        Up to {plan.maxTokensPerRequest.toLocaleString()} tokens a request
                      </p>
                    )}
                    <p className={styles.texts}>{textsOf(plan)}</p>
                  </div>
                  <div className={styles.meters}>
                    <Meters limits={limits} />
                  </div>
                </div>
              </Panel>
            </>
          )}
        </Loaded>
        <Panel title="All plans" flush>
          <Loaded query={plans} skeleton={<ComparisonOutline />}>
            {(found) => <PlanComparison plans={found} own={own.data?.plan.name} />}
          </Loaded>
        </Panel>
        <p className={styles.soft}>Whoever runs this service changes your plan; ask there for another one.</p>
      </div>
    </>
  );
}

function OwnOutline() {
  return (
    <Panel>
      <div className={styles.own}>
        <div>
          <p className={styles.soft}>Your plan</p>
          <p className={styles.name}>&nbsp;</p>
          <p>&nbsp;</p>
          <p className={styles.soft}>&nbsp;</p>
          <p className={styles.soft}>&nbsp;</p>
        </div>
        <div className={styles.meters}>
          <MetersOutline />
        </div>
      </div>
    </Panel>
  );
}
