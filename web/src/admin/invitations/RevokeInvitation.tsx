import { Button } from "@mantine/core";
import { useRevokeInvitation } from "@/api/invitations";
import type { Invitation } from "@/api/types";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";

/** Asks first. */
export function RevokeInvitation({ of: { id, email }, onClose }: { of: Invitation; onClose: () => void }) {
  const revoke = useRevokeInvitation(id);
  return (
    <Dialog title="Revoke this invitation?" onClose={onClose}>
      <p>
        {email} may no longer sign up by it. You can invite them again. Who has signed up by then keeps their
        account.
      </p>
      {revoke.error !== null && <ErrorState problem={revoke.error} />}
      <div className={dialog.buttons}>
        <Button
          color="red"
          size="xs"
          loading={revoke.isPending}
          onClick={() => revoke.mutate(undefined, { onSuccess: onClose })}
        >
          Revoke
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </Dialog>
  );
}
