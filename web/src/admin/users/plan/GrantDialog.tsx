import { SegmentedControl, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useAddGrant } from "@/api/planOfUser";
import type { Grant } from "@/api/types";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { endOfDay } from "@/shared/times";
import { centsIn, faultAt, howToWrite, numberIn } from "@/shared/typed";
import styles from "./plan.module.css";
import { UNITS } from "./units";

const NAMED = ["unit", "amount", "reason", "expiresAt", "priority"];

interface GrantDialogProps {
  userId: string;
  onClose: () => void;
}

/** What to grant, why, and until when. */
export function GrantDialog({ userId, onClose }: GrantDialogProps) {
  const add = useAddGrant(userId);
  const [unit, setUnit] = useState<Grant["unit"]>("requests");
  const [amount, setAmount] = useState("");
  const [reason, setReason] = useState("");
  const [lastDay, setLastDay] = useState("");
  const [priority, setPriority] = useState("0");
  const units = unit === "cost" ? centsIn(amount) : numberIn(amount);
  const order = numberIn(priority) ?? 0;
  const isWhole = units !== null && !Number.isNaN(units) && !Number.isNaN(order) && reason.trim() !== "";
  const isElsewhere = add.error !== null && !NAMED.some((name) => faultAt(add.error, name) !== undefined);
  return (
    <Dialog title="Grant units beyond the plan" isForm onClose={onClose}>
      <form
        className={dialog.fields}
        onSubmit={(event) => {
          event.preventDefault();
          if (units === null) return;
          const told = { unit, amount: units, reason: reason.trim(), expiresAt: endOfDay(lastDay) };
          add.mutate({ ...told, priority: order }, { onSuccess: onClose });
        }}
      >
        <SegmentedControl
          aria-label="Of what"
          size="xs"
          data={UNITS}
          value={unit}
          onChange={(chosen) => setUnit(chosen as Grant["unit"])}
        />
        <TextInput
          label="How much"
          inputMode="decimal"
          data-autofocus
          leftSection={unit === "cost" ? "$" : undefined}
          value={amount}
          error={Number.isNaN(units) ? howToWrite(amount, unit !== "cost") : faultAt(add.error, "amount")}
          onChange={({ currentTarget }) => setAmount(currentTarget.value)}
        />
        <Textarea
          label="Reason"
          description="Operators see it, here and in the log."
          autosize
          minRows={2}
          maxRows={6}
          maxLength={1000}
          value={reason}
          error={faultAt(add.error, "reason")}
          onChange={({ currentTarget }) => setReason(currentTarget.value)}
        />
        <div className={styles.two}>
          <TextInput
            label="Last day"
            description="Empty: until it is used up."
            type="date"
            value={lastDay}
            error={faultAt(add.error, "expiresAt")}
            onChange={({ currentTarget }) => setLastDay(currentTarget.value)}
          />
          <TextInput
            label="Priority"
            description="Lower ones are used first."
            inputMode="numeric"
            value={priority}
            error={Number.isNaN(order) ? howToWrite(priority, true) : faultAt(add.error, "priority")}
            onChange={({ currentTarget }) => setPriority(currentTarget.value)}
          />
        </div>
        {add.error !== null && isElsewhere && <ErrorState problem={add.error} />}
        <div className={styles.buttons}>
          <Button type="submit" size="xs" disabled={!isWhole} loading={add.isPending}>
            Grant
          </Button>
          <Button variant="default" size="xs" onClick={onClose}>
            Cancel
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
