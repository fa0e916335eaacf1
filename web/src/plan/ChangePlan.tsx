import type { OwnPlan, Terms } from "@/api/types";
import { Dialog } from "@/shared/Dialog";
import { planTitle } from "@/shared/planTitle";
import { ChangeForm } from "./ChangeForm";

interface ChangePlanProps {
  own: OwnPlan;
  plan: Terms;
  /** What was arranged instead of it is taken back. */
  isKept: boolean;
  onClose: () => void;
}

/** Changing one's own plan, or keeping it. */
export function ChangePlan({ own, plan, isKept, onClose }: ChangePlanProps) {
  const title = planTitle(plan.name);
  return (
    <Dialog title={isKept ? `Keep ${title}?` : `Change to ${title}?`} onClose={onClose}>
      <ChangeForm own={own} plan={plan} isKept={isKept} onClose={onClose} />
    </Dialog>
  );
}
