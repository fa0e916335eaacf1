import { useState } from "react";
import { useChangeUser } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";

/** Whether somebody may use anything. */
export function SwitchUser({ user }: { user: DirectoryEntry }) {
  const [isAsking, setIsAsking] = useState(false);
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setIsAsking(true)}>
        {user.isActive ? "Switch off …" : "Switch on …"}
      </Button>
      {isAsking && <Asking user={user} onClose={() => setIsAsking(false)} />}
    </>
  );
}

function Asking({ user, onClose }: { user: DirectoryEntry; onClose: () => void }) {
  const change = useChangeUser(user.id);
  // It is done while the dialog closes: what it asked stays.
  const [isActive] = useState(user.isActive);
  return (
    <Dialog title={isActive ? "Switch this account off?" : "Switch this account on?"} onClose={onClose}>
      <p>
        {isActive
          ? "Every further request of this user is refused and they can no longer sign in. What was recorded stays."
          : "Requests of this user are let through again, as far as the plan allows."}
      </p>
      {change.error !== null && <ErrorState problem={change.error} />}
      <div className={dialog.buttons}>
        <Button
          size="xs"
          {...(isActive ? { color: "red" } : {})}
          loading={change.isPending}
          onClick={() => change.mutate({ isActive: !isActive }, { onSuccess: onClose })}
        >
          {isActive ? "Switch off" : "Switch on"}
        </Button>
        <Button size="xs" variant="default" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </Dialog>
  );
}
