import { Checkbox, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { isMoney, LIMITS, type LimitName, limitIn } from "@/admin/limits";
import { useAddOverride } from "@/api/planOfUser";
import type { NewOverride } from "@/api/types";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import shared from "@/shared/shared.module.css";
import { endOfDay } from "@/shared/times";
import { faultAt, howToWrite } from "@/shared/typed";
import styles from "./plan.module.css";

/** What is typed of a limit; null is no limit. */
type Typed = Partial<Record<LimitName, string | null>>;

interface OverrideDialogProps {
  userId: string;
  onClose: () => void;
}

/** Which limits are to differ from the plan's, why, and until when. */
export function OverrideDialog({ userId, onClose }: OverrideDialogProps) {
  const add = useAddOverride(userId);
  const [typed, setTyped] = useState<Typed>({});
  const [reason, setReason] = useState("");
  const [lastDay, setLastDay] = useState("");
  const limits = limitsIn(typed);
  const told = Object.values(limits);
  const isWhole = told.length > 0 && !told.some(Number.isNaN) && reason.trim() !== "";
  const named = ["reason", "endsAt", ...LIMITS.map(({ name }) => `limits.${name}`)];
  const isElsewhere = add.error !== null && !named.some((name) => faultAt(add.error, name) !== undefined);
  return (
    <Dialog title="Override limits of the plan" size="lg" isForm onClose={onClose}>
      <form
        className={dialog.fields}
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate({ limits, reason: reason.trim(), endsAt: endOfDay(lastDay) }, { onSuccess: onClose });
        }}
      >
        <p className={shared.soft}>What is left empty stays as the plan has it. 0 allows nothing.</p>
        <div className={styles.limits}>
          {LIMITS.map(({ name, label }) => (
            <LimitField
              key={name}
              name={name}
              label={label}
              value={typed[name]}
              fault={
                Number.isNaN(limits[name])
                  ? howToWrite(typed[name] ?? "", name !== "monthlyCost")
                  : faultAt(add.error, `limits.${name}`)
              }
              onType={(value) => setTyped((before) => ({ ...before, [name]: value }))}
            />
          ))}
        </div>
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
        <TextInput
          label="Last day"
          description="Leave it empty to end it yourself."
          type="date"
          value={lastDay}
          error={faultAt(add.error, "endsAt")}
          onChange={({ currentTarget }) => setLastDay(currentTarget.value)}
        />
        {add.error !== null && isElsewhere && <ErrorState problem={add.error} />}
        <div className={styles.buttons}>
          <Button type="submit" size="xs" disabled={!isWhole} loading={add.isPending}>
            Override
          </Button>
          <Button variant="default" size="xs" onClick={onClose}>
            Cancel
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function limitsIn(typed: Typed): NewOverride["limits"] {
  const given = Object.entries(typed) as [LimitName, string | null][];
  return Object.fromEntries(
    given
      .filter(([, text]) => text?.trim() !== "")
      .map(([name, text]) => [name, text === null ? null : limitIn(name, text)]),
  );
}

interface LimitFieldProps {
  name: LimitName;
  label: string;
  value: string | null | undefined;
  fault: string | undefined;
  onType: (value: string | null) => void;
}

function LimitField({ name, label, value, fault, onType }: LimitFieldProps) {
  return (
    <div className={styles.limit}>
      <TextInput
        size="xs"
        label={label}
        inputMode="decimal"
        placeholder={value === null ? "No limit" : "As the plan"}
        leftSection={isMoney(name) ? "$" : undefined}
        disabled={value === null}
        value={value ?? ""}
        error={fault}
        onChange={({ currentTarget }) => onType(currentTarget.value)}
      />
      <Checkbox
        size="xs"
        label="No limit"
        aria-label={`No limit: ${label}`}
        checked={value === null}
        onChange={({ currentTarget }) => onType(currentTarget.checked ? null : "")}
      />
    </div>
  );
}
