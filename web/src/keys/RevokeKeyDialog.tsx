import { useRevokeKey, type Whose } from "@/api/keys";
import type { ApiKey } from "@/api/types";
import { AskFirst } from "@/shared/AskFirst";
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
    <AskFirst
      title={
        <>
          Revoke “<bdi>{name}</bdi>”?
        </>
      }
      verb="Revoke"
      act={revoke}
      onClose={onClose}
    >
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
    </AskFirst>
  );
}
