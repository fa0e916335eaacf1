import type { OwnPlan, PlanChange, Terms } from "@/api/types";
import { hasException, reachedIn } from "@/overview/reached";
import dialog from "@/shared/Dialog.module.css";
import difference from "@/shared/Difference.module.css";
import { IconWarning } from "@/shared/icons";
import { planTitle } from "@/shared/planTitle";
import { TimeAgo } from "@/shared/TimeAgo";
import { featureName, TERMS } from "./terms";

interface WhatChangesProps {
  own: OwnPlan;
  /** What one changes to. */
  plan: Terms;
}

/** What two plans allow, where they differ. */
export function WhatChanges({ own: { plan: before }, plan }: WhatChangesProps) {
  const rows = differing(before, plan);
  if (rows.length === 0) return null;
  return (
    <table className={difference.table} data-words>
      <thead>
        <tr>
          <td />
          <th scope="col">{planTitle(before.name)}</th>
          <th scope="col">{planTitle(plan.name)}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ label, was, is }) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            <td>{was}</td>
            <td>{is}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function differing(before: Terms, after: Terms): { label: string; was: string; is: string }[] {
  const features = [...new Set([...before.features, ...after.features])].filter((each) => each !== "*");
  const all = [
    ...TERMS,
    ...features.map((each) => ({ label: featureName(each), of: (terms: Terms) => included(terms, each) })),
  ];
  return all
    .map(({ label, of }) => ({ label, was: of(before), is: of(after) }))
    .filter(({ was, is }) => was !== is);
}

const included = ({ features }: Terms, feature: string): string =>
  features.includes(feature) || features.includes("*") ? "Included" : "Not included";

/** What is used by now and is all that the plan allows, in windows that run on once the change takes effect. */
export function UsedBeyond({ own, plan, change }: WhatChangesProps & { change: PlanChange }) {
  const title = planTitle(plan.name);
  return beyond(own, plan, change).map(({ what, used, resetsAt }) => (
    <p key={what} className={dialog.warning}>
      <IconWarning />
      <span>
        By what {title} allows, {used}: requests are refused until that resets <TimeAgo at={resetsAt} />.
      </span>
    </p>
  ));
}

// An exception stays, and months that are counted otherwise begin on another day: then nobody can say.
function beyond(own: OwnPlan, plan: Terms, { takesEffectAt }: PlanChange) {
  const { limits } = own;
  if (hasException(own) || own.plan.period !== plan.period) return [];
  const { monthlyTokensLimit: _, monthlyCostLimit: __, ...rest } = limits;
  const then = {
    ...rest,
    reason: null,
    dailyLimit: plan.dailyRequests,
    monthlyLimit: plan.monthlyRequests,
    ...(plan.monthlyTokens !== null && { monthlyTokensLimit: plan.monthlyTokens }),
    ...(plan.monthlyCost !== null && { monthlyCostLimit: plan.monthlyCost }),
  };
  return reachedIn(then).filter(({ resetsAt }) => Date.parse(takesEffectAt) < Date.parse(resetsAt));
}
