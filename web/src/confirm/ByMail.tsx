import { TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { askForCode, signInByCode } from "@/api/account";
import { useAct } from "@/api/act";
import { confirmation } from "@/api/confirmation";
import { Button } from "@/shared/Button";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { hour } from "@/shared/times";

interface ByMailProps {
  email: string;
  /** Whether codes are mailed, and do not stand on the console of the service. */
  isMailed: boolean;
  onDone: () => void;
}

/** Sign in anew by the code of a mail. */
export function ByMail({ email, isMailed, onDone }: ByMailProps) {
  const ask = useAct({ mutationFn: () => askForCode(email) });
  const enter = useAct({ mutationFn: (code: string) => signInByCode(email, code), onSuccess: onDone });
  const [code, setCode] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ask.data === undefined) ask.mutate();
    else enter.mutate(code.trim());
  };
  const problem = ask.error ?? (ask.data === undefined ? enter.error : null);
  return (
    <form onSubmit={submit}>
      {ask.data !== undefined && (
        <TextInput
          label="Code"
          description={`${isMailed ? `A mail with it is on its way to ${email}.` : "It stands on the console of the service, for whoever runs it."} It holds until ${hour(ask.data)}.`}
          placeholder="XXXX-XXXX"
          autoComplete="one-time-code"
          autoFocus
          maxLength={40}
          value={code}
          error={enter.error?.detail}
          onChange={({ currentTarget }) => setCode(currentTarget.value)}
        />
      )}
      {problem !== null && <ErrorState problem={problem} />}
      <div className={dialog.buttons}>
        {ask.data === undefined ? (
          <Button type="submit" size="xs" data-autofocus loading={ask.isPending}>
            Send me a code
          </Button>
        ) : (
          <>
            <Button type="submit" size="xs" disabled={code.trim() === ""} loading={enter.isPending}>
              Confirm
            </Button>
            <Button size="xs" variant="default" loading={ask.isPending} onClick={() => ask.mutate()}>
              Send another
            </Button>
          </>
        )}
        <Button size="xs" variant="subtle" color="gray" onClick={() => confirmation.answer(false)}>
          Cancel
        </Button>
      </div>
    </form>
  );
}
