import type { Terms } from "@/api/types";
import { Dialog } from "@/shared/Dialog";
import { ChangeForm } from "./ChangeForm";

interface ChangePlanProps {
  plan: Terms;
  /** It is the present one: what was arranged instead is taken back. */
  isOwn: boolean;
  onClose: () => void;
}

/** Changing one's own plan, or keeping it. */
export function ChangePlan({ plan, isOwn, onClose }: ChangePlanProps) {
  return (
    <Dialog title={isOwn ? `Keep ${plan.name}?` : `Change to ${plan.name}?`} onClose={onClose}>
      <ChangeForm plan={plan} isKept={isOwn} onClose={onClose} />
    </Dialog>
  );
}
