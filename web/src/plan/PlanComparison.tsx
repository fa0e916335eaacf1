import type { ReactNode } from "react";
import type { Terms } from "@/api/types";
import { Tag } from "@/shared/badges";
import { IconCheck } from "@/shared/icons";
import { planTitle } from "@/shared/planTitle";
import { SkeletonRows } from "@/shared/SkeletonRows";
import styles from "./plan.module.css";
import { featureName, priceOf, TERMS, yearlyPriceOf } from "./terms";

interface PlanComparisonProps<Plan extends Terms> {
  plans: Plan[];
  own?: string | undefined;
  /** What else they differ in. */
  more?: { label: string; of: (plan: Plan) => string }[];
  /** What can be done about a plan. */
  action?: (plan: Plan) => ReactNode;
}

/** All plans beside each other. */
export function PlanComparison<Plan extends Terms>({
  plans,
  own,
  more = [],
  action,
}: PlanComparisonProps<Plan>) {
  const terms = TERMS.filter(({ isShown }) => isShown?.(plans) ?? true);
  const features = [...new Set(plans.flatMap((plan) => plan.features))].filter((feature) => feature !== "*");
  return (
    <section className={styles.scroll} tabIndex={0} aria-label="Comparison of all plans">
      <table className={styles.comparison}>
        <thead>
          <tr>
            <td />
            {plans.map((plan) => (
              <th key={plan.name} scope="col" data-own={plan.name === own}>
                <span className={styles.plan}>
                  {planTitle(plan.name)} {plan.name === own && <Tag tone="accent">Yours</Tag>}
                </span>
                <span className={styles.soft}>{priceOf(plan)}</span>
                <span className={styles.soft}>{yearlyPriceOf(plan)}</span>
                {action?.(plan)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...terms, ...more].map(({ label, of }) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              {plans.map((plan) => (
                <td key={plan.name} data-own={plan.name === own}>
                  {of(plan)}
                </td>
              ))}
            </tr>
          ))}
          {features.map((feature) => (
            <tr key={feature}>
              <th scope="row">{featureName(feature)}</th>
              {plans.map((plan) => (
                <td key={plan.name} data-own={plan.name === own}>
                  <Included isIt={plan.features.includes(feature) || plan.features.includes("*")} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Stands in for the default catalogue. */
export function ComparisonOutline() {
  return (
    <div className={styles.outline}>
      <SkeletonRows rows={7} />
    </div>
  );
}

function Included({ isIt }: { isIt: boolean }) {
  return (
    <span className={styles.included} data-is={isIt}>
      {isIt ? <IconCheck /> : "–"}
      <span className="visually-hidden">{isIt ? "included" : "not included"}</span>
    </span>
  );
}
