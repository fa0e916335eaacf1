import { useState } from "react";
import { useChangePlan, usePlanPreview } from "@/api/plans";
import type { OwnPlan, PlanChange, PlanWish, Terms } from "@/api/types";
import { Button } from "@/shared/Button";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { price } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import { lasting } from "@/shared/times";
import { type Choice, Choices } from "./Choices";
import type { Cycle } from "./terms";
import { UsedBeyond, WhatChanges } from "./WhatChanges";

const CYCLES: Cycle[] = ["monthly", "yearly"];

interface ChangeFormProps {
  own: OwnPlan;
  plan: Terms;
  /** What was arranged instead of it is taken back: nothing is to be chosen. */
  isKept: boolean;
  /** Whose plan an operator changes; left out, one's own. */
  userId?: string;
  onClose: () => void;
}

/** How a plan is to be paid, what the change comes to by the service's own preview, and doing it. */
export function ChangeForm({ own, plan, isKept, userId, onClose }: ChangeFormProps) {
  const [chosen, setChosen] = useState<Choice>({ cycle: plan.billingCycle, isTrial: false });
  // What it is by now, under the dialog, changes once it is done.
  const [keeps] = useState(isKept);
  const [before] = useState(own);
  const isOther = plan.name !== before.plan.name;
  const hasChoice = !keeps && plan.pricePerYear !== null;
  const wish: PlanWish = {
    plan: plan.name,
    ...(hasChoice && { billingCycle: chosen.cycle }),
    ...(chosen.isTrial && { trial: true }),
  };
  const change = useChangePlan(wish, userId);
  const preview = usePlanPreview(wish, change.isPending || change.isSuccess, userId);
  const problem = change.error ?? preview.error;
  return (
    <>
      <div className={dialog.fields}>
        {!keeps && (
          <Choices
            cycles={hasChoice ? CYCLES : []}
            trialDays={plan.trialDays}
            chosen={chosen}
            onChoose={setChosen}
          />
        )}
        <p aria-live="polite">
          {preview.data === undefined
            ? " "
            : sentenceOf(preview.data.change, userId === undefined ? "you" : "they")}
        </p>
        {isOther && preview.data !== undefined && (
          <UsedBeyond own={before} plan={plan} change={preview.data.change} />
        )}
        {isOther && <WhatChanges own={before} plan={plan} />}
      </div>
      {problem !== null && <ErrorState problem={problem} />}
      <div className={dialog.buttons}>
        <Button
          size="xs"
          loading={change.isPending}
          disabled={preview.data === undefined}
          onClick={() => change.mutate(undefined, { onSuccess: onClose })}
        >
          {keeps ? "Keep plan" : "Change plan"}
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </>
  );
}

/** What a change comes to, in words, for oneself or for others. */
function sentenceOf(change: PlanChange, who: "you" | "they"): string {
  const { kind, isAtOnce, isTrial, takesEffectAt, until, currency, billingCycle } = change;
  const plan = planTitle(change.plan);
  const Who = who === "you" ? "You" : "They";
  const cost = `${price(change.price, currency)} a ${billingCycle === "yearly" ? "year" : "month"}`;
  if (kind === "resumed") return `${Who} keep ${plan}; what was arranged is taken back.`;
  if (isTrial && until !== null)
    return `${Who} have ${plan} from now ${lasting(until)}, for nothing. Then it ends by itself.`;
  if (isAtOnce) return `${Who} have ${plan} from now on, for ${cost}. What ${who} have used stays used.`;
  return `${Who} keep what ${who} have ${lasting(takesEffectAt)}, then ${who} have ${plan} for ${cost}. Until then ${who} can take it back.`;
}
