import type { ReactNode } from "react";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import dialog from "./Dialog.module.css";
import { ErrorState } from "./ErrorState";

interface AskFirstProps {
  title: ReactNode;
  /** What the button says that does it. */
  verb: string;
  act: {
    error: Error | null;
    isPending: boolean;
    mutate: (told: undefined, then: { onSuccess: () => void }) => void;
  };
  onClose: () => void;
  /** What comes of it. */
  children: ReactNode;
}

/** Asks before something is done that cannot be undone. It stays open if that fails, and says why. */
export function AskFirst({ title, verb, act, onClose, children }: AskFirstProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      {act.error !== null && <ErrorState problem={act.error} />}
      <div className={dialog.buttons}>
        <Button
          color="red"
          size="xs"
          loading={act.isPending}
          onClick={() => act.mutate(undefined, { onSuccess: onClose })}
        >
          {verb}
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </Dialog>
  );
}
