import { Link } from "@tanstack/react-router";
import type { TermsWithUsers } from "@/api/types";
import { count, percent, plural } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import styles from "./plans.module.css";

/** How many are on each plan, and how many of them on terms that it has no more. */
export function PlanCards({ plans }: { plans: TermsWithUsers[] }) {
  const all = plans.reduce((sum, { users }) => sum + users, 0);
  return (
    <ul className={styles.cards}>
      {plans.map((plan) => (
        <li key={plan.name}>
          <Link to="/admin/users" search={{ plan: plan.name }}>
            <span>{planTitle(plan.name)}</span>
            <strong>{count(plan.users)}</strong>
            <small>
              {plural(plan.users, "user")}
              {all > 0 && `, ${percent(plan.users / all)} of all`}
            </small>
            {plan.outdatedUsers > 0 && <small>{count(plan.outdatedUsers)} on older terms</small>}
          </Link>
        </li>
      ))}
    </ul>
  );
}
