import { TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import type { Problem } from "@/api/call";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import dialog from "./Dialog.module.css";
import { ErrorState } from "./ErrorState";

interface TypedConfirmationProps {
  title: string;
  /** What is to be typed, as nobody does by mistake. */
  word: string;
  verb: string;
  isPending: boolean;
  problem: Problem | null;
  onMeant: () => void;
  onClose: () => void;
  children: ReactNode;
}

/** Asks before what cannot be undone. */
export function TypedConfirmation(props: TypedConfirmationProps) {
  const { title, word, verb, isPending, problem, onMeant, onClose, children } = props;
  const [typed, setTyped] = useState("");
  const isMeant = typed.trim().toLowerCase() === word.toLowerCase();
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isMeant) onMeant();
        }}
      >
        <p className={dialog.about}>{children}</p>
        <TextInput
          label={word}
          data-autofocus
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={({ currentTarget }) => setTyped(currentTarget.value)}
        />
        {problem !== null && <ErrorState problem={problem} />}
        <div className={dialog.buttons}>
          <Button type="submit" color="red" size="xs" disabled={!isMeant} loading={isPending}>
            {verb}
          </Button>
          <Button variant="default" size="xs" onClick={onClose}>
            Cancel
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
