import { Button, Checkbox, SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { useChangePlan, usePlanPreview } from "@/api/plans";
import type { PlanChange, PlanWish, Terms } from "@/api/types";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { exactTime, price } from "@/shared/format";

type Cycle = Terms["billingCycle"];

const CYCLES: { value: Cycle; label: string }[] = [
  { value: "monthly", label: "Monthly" },
  { value: "yearly", label: "Yearly" },
];

interface ChangePlanProps {
  plan: Terms;
  /** It is the present one: what was arranged instead is taken back. */
  isOwn: boolean;
  onClose: () => void;
}

/** How the plan is to be paid, what the change comes to by the service's own preview, and doing it. */
export function ChangePlan({ plan, isOwn, onClose }: ChangePlanProps) {
  const [cycle, setCycle] = useState<Cycle>(plan.billingCycle);
  const [isTrial, setIsTrial] = useState(false);
  const hasChoice = !isOwn && plan.pricePerYear !== null;
  const wish: PlanWish = {
    plan: plan.name,
    ...(hasChoice && { billingCycle: cycle }),
    ...(isTrial && { trial: true }),
  };
  const preview = usePlanPreview(wish);
  const change = useChangePlan(wish);
  const problem = change.error ?? preview.error;
  return (
    <Dialog title={isOwn ? `Keep ${plan.name}?` : `Change to ${plan.name}?`} onClose={onClose}>
      <div className={dialog.fields}>
        {hasChoice && (
          <SegmentedControl
            aria-label="How it is paid"
            size="xs"
            data={CYCLES}
            value={cycle}
            onChange={(value) => setCycle(value as Cycle)}
          />
        )}
        {!isOwn && plan.trialDays > 0 && (
          <Checkbox
            size="xs"
            label={`Try it for ${plan.trialDays} days first`}
            checked={isTrial}
            onChange={({ currentTarget }) => setIsTrial(currentTarget.checked)}
          />
        )}
        <p aria-live="polite">{preview.data === undefined ? " " : sentenceOf(preview.data.change)}</p>
      </div>
      {problem !== null && <ErrorState problem={problem} />}
      <div className={dialog.buttons}>
        <Button
          size="xs"
          loading={change.isPending}
          disabled={preview.data === undefined}
          onClick={() => change.mutate(undefined, { onSuccess: onClose })}
        >
          {isOwn ? "Keep plan" : "Change plan"}
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </Dialog>
  );
}

/** What a change comes to, in words. */
function sentenceOf(change: PlanChange): string {
  const { kind, plan, isAtOnce, isTrial, takesEffectAt, until, currency, billingCycle } = change;
  const cost = `${price(change.price, currency)} a ${billingCycle === "yearly" ? "year" : "month"}`;
  if (kind === "resumed") return `You keep ${plan}; what was arranged is taken back.`;
  if (isTrial && until !== null)
    return `You have ${plan} from now until ${exactTime(until)}, for nothing. Then it ends by itself.`;
  if (isAtOnce) return `You have ${plan} from now on, for ${cost}. What you have used stays used.`;
  return `You keep what you have until ${exactTime(takesEffectAt)}, then you have ${plan} for ${cost}. Until then you can take it back.`;
}
