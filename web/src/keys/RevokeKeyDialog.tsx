import { Button } from "@mantine/core";
import { useRevokeKey, type Whose } from "@/api/keys";
import type { ApiKey } from "@/api/types";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { TimeAgo } from "@/shared/TimeAgo";

interface RevokeKeyDialogProps {
  whose: Whose;
  of: ApiKey;
  onClose: () => void;
}

/** Asks first: what uses the key stops. */
export function RevokeKeyDialog({ whose, of: { id, name, lastUsedAt }, onClose }: RevokeKeyDialogProps) {
  const revoke = useRevokeKey(whose, id);
  return (
    <Dialog title={`Revoke “${name}”?`} onClose={onClose}>
      <p>
        Whatever uses it is refused from its next request on. This cannot be undone.{" "}
        {lastUsedAt == null ? (
          "It has not been used so far."
        ) : (
          <>
            It was last used <TimeAgo at={lastUsedAt} />.
          </>
        )}
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
