import { TextInput } from "@mantine/core";
import { useState } from "react";
import { useChangeUser } from "@/api/admin";
import { Button } from "@/shared/Button";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { planTitle } from "@/shared/planTitle";
import { endOfDay, lasting } from "@/shared/times";
import { faultAt } from "@/shared/typed";

interface GiveFormProps {
  userId: string;
  plan: string;
  onClose: () => void;
}

/** Puts a user on a plan at once, until a day is over or for good. */
export function GiveForm({ userId, plan, onClose }: GiveFormProps) {
  const change = useChangeUser(userId);
  const [lastDay, setLastDay] = useState("");
  const until = endOfDay(lastDay);
  const fault = faultAt(change.error, "planExpiresAt");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        change.mutate({ plan, planExpiresAt: until }, { onSuccess: onClose });
      }}
    >
      <div className={dialog.fields}>
        <TextInput
          label="Last day"
          description="Leave it empty for no end."
          type="date"
          value={lastDay}
          error={fault}
          onChange={({ currentTarget }) => setLastDay(currentTarget.value)}
        />
        <p aria-live="polite">
          They have {planTitle(plan)} from now on
          {until === null ? ", without an end" : ` ${lasting(until)}, then Free`}. What they have used stays
          used; what was arranged falls away.
        </p>
      </div>
      {change.error !== null && fault === undefined && <ErrorState problem={change.error} />}
      <div className={dialog.buttons}>
        <Button type="submit" size="xs" loading={change.isPending}>
          Change plan
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </form>
  );
}
