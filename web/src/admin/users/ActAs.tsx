import { useState } from "react";
import { useActAs } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { useLeaving } from "@/shared/useUnsaved";

/** Seeing the app as a user does. Nobody acts as another operator, or as somebody who is switched off. */
export function ActAs({ user }: { user: DirectoryEntry }) {
  const [isAsking, setIsAsking] = useState(false);
  if (user.role === "admin" || !user.isActive) return null;
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setIsAsking(true)}>
        Act as …
      </Button>
      {isAsking && <Asking user={user} onClose={() => setIsAsking(false)} />}
    </>
  );
}

function Asking({ user, onClose }: { user: DirectoryEntry; onClose: () => void }) {
  const act = useActAs(user.id);
  const { leave, question } = useLeaving(act.mutate);
  return (
    <Dialog title={`Act as ${user.email ?? user.id}?`} onClose={onClose}>
      <p>
        For half an hour this browser sees what they see and may do what they may, save for what is theirs
        alone: keys, passkeys, secrets, their data. Whatever you do is noted as yours. You stop at any time.
      </p>
      {act.error !== null && <ErrorState problem={act.error} />}
      <div className={dialog.buttons}>
        <Button size="xs" loading={act.isPending} onClick={leave}>
          Act as them
        </Button>
        <Button size="xs" variant="default" onClick={onClose}>
          Cancel
        </Button>
      </div>
      {question}
    </Dialog>
  );
}
