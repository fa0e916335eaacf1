import { useRevokeInvitation } from "@/api/invitations";
import type { Invitation } from "@/api/types";
import { AskFirst } from "@/shared/AskFirst";

/** Asks first. */
export function RevokeInvitation({ of: { id, email }, onClose }: { of: Invitation; onClose: () => void }) {
  const revoke = useRevokeInvitation(id);
  return (
    <AskFirst title="Revoke this invitation?" verb="Revoke" act={revoke} onClose={onClose}>
      <p>
        {email} may no longer sign up by it. You can invite them again. Who has signed up by then keeps their
        account.
      </p>
    </AskFirst>
  );
}
