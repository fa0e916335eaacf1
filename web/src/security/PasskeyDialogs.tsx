import { TextInput } from "@mantine/core";
import { useState } from "react";
import type { Problem } from "@/api/call";
import { useLogins } from "@/api/logins";
import { useAddPasskey, useRemovePasskey, useRenamePasskey } from "@/api/passkeys";
import type { Passkey } from "@/api/types";
import { AskFirst } from "@/shared/AskFirst";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";

const LONGEST_NAME = 100;

interface OneProps {
  of: Passkey;
  onClose: () => void;
}

/** Have the device make one. It is named first: afterwards nobody knows any more which one it was. */
export function AddPasskey({ onClose }: { onClose: () => void }) {
  const add = useAddPasskey();
  const here = useLogins().data?.pages[0]?.items.find(({ isCurrent }) => isCurrent);
  return (
    <Dialog title="Add a passkey" onClose={onClose}>
      <p className={dialog.about}>
        Your browser asks next for a fingerprint, a face, the code of this device, or another device.
      </p>
      <NameForm
        start={here?.device ?? ""}
        verb="Continue"
        isPending={add.isPending}
        problem={add.error}
        onName={(name) => add.mutate(name, { onSuccess: onClose })}
        onClose={onClose}
      />
    </Dialog>
  );
}

/** Call it something else. */
export function RenamePasskey({ of: { id, name: before }, onClose }: OneProps) {
  const rename = useRenamePasskey(id);
  return (
    <Dialog title={`Rename “${before}”`} onClose={onClose}>
      <NameForm
        start={before}
        verb="Rename"
        isPending={rename.isPending}
        problem={rename.error}
        onName={(name) => rename.mutate(name, { onSuccess: onClose })}
        onClose={onClose}
      />
    </Dialog>
  );
}

interface NameFormProps {
  start: string;
  verb: string;
  isPending: boolean;
  problem: Problem | null;
  onName: (name: string) => void;
  onClose: () => void;
}

function NameForm({ start, verb, isPending, problem, onName, onClose }: NameFormProps) {
  const [name, setName] = useState(start);
  const fault = problem?.faults.find(({ field }) => field === "name")?.message;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onName(name.trim());
      }}
    >
      <TextInput
        label="Name"
        placeholder="My phone"
        data-autofocus
        maxLength={LONGEST_NAME}
        value={name}
        error={fault}
        onChange={({ currentTarget }) => setName(currentTarget.value)}
      />
      {problem !== null && fault === undefined && <ErrorState problem={problem} />}
      <div className={dialog.buttons}>
        <Button type="submit" size="xs" disabled={name.trim() === ""} loading={isPending}>
          {verb}
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

/** Asks first. */
export function RemovePasskey({ of: { id, name }, onClose }: OneProps) {
  const remove = useRemovePasskey(id);
  return (
    <AskFirst
      title={
        <>
          Remove “<bdi>{name}</bdi>”?
        </>
      }
      verb="Remove"
      act={remove}
      onClose={onClose}
    >
      <p>
        It signs in no more. Browsers that it has signed in stay signed in until you end them. Your device may
        go on to offer it until you delete it there, too.
      </p>
    </AskFirst>
  );
}
