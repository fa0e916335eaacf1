import { Link } from "@tanstack/react-router";
import { usePlansWithUsers } from "@/api/admin";
import type { TermsWithUsers } from "@/api/types";
import { headOf } from "@/places";
import { PlanComparison } from "@/plan/PlanComparison";
import { count } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import styles from "./plans.module.css";

/** The catalogue, and how many are on each plan. */
export function AdminPlansPage() {
  const plans = usePlansWithUsers();
  return (
    <>
      <PageHeader {...headOf("/admin/plans")} tab="Plans of all" />
      <div className={styles.stack}>
        <Loaded query={plans} skeleton={<SkeletonRows rows={8} />}>
          {(found) => (
            <>
              <Users plans={found} />
              <Panel title="What each allows" flush>
                <PlanComparison plans={found} />
              </Panel>
            </>
          )}
        </Loaded>
        <Panel title="To change the catalogue">
          <p className={styles.soft}>
            Write it as a file and apply it; the difference is shown before anything changes:
          </p>
          <pre className={styles.command}>tollkeeper plan apply plans.toml</pre>
        </Panel>
      </div>
    </>
  );
}

function Users({ plans }: { plans: TermsWithUsers[] }) {
  const all = plans.reduce((sum, { users }) => sum + users, 0);
  return (
    <ul className={styles.cards}>
      {plans.map((plan) => (
        <li key={plan.name}>
          <Link to="/admin/users" search={{ plan: plan.name }}>
            <span>{plan.name}</span>
            <strong>{count(plan.users)}</strong>
            <small>
              {plan.users === 1 ? "user" : "users"}
              {all > 0 && `, ${Math.round((100 * plan.users) / all)}% of all`}
            </small>
          </Link>
        </li>
      ))}
    </ul>
  );
}
