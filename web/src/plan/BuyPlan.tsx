import { useState } from "react";
import { useCheckout } from "@/api/plans";
import type { Offer } from "@/api/types";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { counted } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import { type Choice, Choices } from "./Choices";
import { priceByCycle } from "./terms";

/** How a plan is to be paid, what that costs, and the way to where it is paid. */
export function BuyPlan({ plan, onClose }: { plan: Offer; onClose: () => void }) {
  const { checkoutCycles: cycles, billingCycle, trialDays } = plan;
  const [chosen, setChosen] = useState<Choice>({
    cycle: cycles.find((each) => each === billingCycle) ?? cycles[0] ?? billingCycle,
    isTrial: false,
  });
  const checkout = useCheckout();
  const cost = priceByCycle(plan, chosen.cycle);
  return (
    <Dialog title={`Buy ${planTitle(plan.name)}?`} onClose={onClose}>
      <div className={dialog.fields}>
        <Choices cycles={cycles} trialDays={trialDays} chosen={chosen} onChoose={setChosen} />
        <p aria-live="polite">
          {chosen.isTrial ? `Nothing for ${counted(trialDays, "day")}, then ${cost}.` : `It costs ${cost}.`}{" "}
          You pay at the checkout and come back here; you have {planTitle(plan.name)} as soon as that is done.
        </p>
      </div>
      {checkout.error !== null && <ErrorState problem={checkout.error} />}
      <div className={dialog.buttons}>
        <Button
          size="xs"
          loading={checkout.isPending}
          onClick={() =>
            checkout.mutate(
              { plan: plan.name, billingCycle: chosen.cycle, ...(chosen.isTrial && { trial: true }) },
              { onSuccess: (url) => location.assign(url) },
            )
          }
        >
          Go to checkout
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </Dialog>
  );
}
