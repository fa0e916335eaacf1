import { Button } from "@mantine/core";
import { useState } from "react";
import { useAccount, useDeleteAccount, useIsActing } from "@/api/account";
import { Panel } from "@/shared/Panel";
import { TypedConfirmation } from "@/shared/TypedConfirmation";
import styles from "./leaving.module.css";

/** Deleting one's account: what it means, and the way to it. */
export function DeleteAccount() {
  const email = useAccount().data?.email;
  const isActing = useIsActing();
  const [isAsking, setIsAsking] = useState(false);
  return (
    <Panel title="Delete your account" note={isActing ? "for the user alone" : undefined}>
      <div className={styles.part}>
        <div>
          <p>All that is yours goes at once, and nobody can bring it back:</p>
          <ul className={styles.list}>
            <li>your requests with their texts, conversations and sums,</li>
            <li>your variables and secrets, API keys and passkeys,</li>
            <li>your name, picture and address. All browsers are signed out.</li>
          </ul>
          <p className={styles.soft}>
            What stays is nobody's: sums over all users, and that something was done, without your address.
            Backups of whoever runs this service keep what they have until they expire.
          </p>
        </div>
        <Button
          size="xs"
          color="red"
          disabled={isActing || email === undefined}
          onClick={() => setIsAsking(true)}
        >
          Delete account …
        </Button>
      </div>
      {isAsking && email !== undefined && <Asking email={email} onClose={() => setIsAsking(false)} />}
    </Panel>
  );
}

function Asking({ email, onClose }: { email: string; onClose: () => void }) {
  const remove = useDeleteAccount();
  return (
    <TypedConfirmation
      title="Delete your account?"
      word={email}
      verb="Delete my account for good"
      isPending={remove.isPending}
      problem={remove.error}
      onMeant={() => remove.mutate(email)}
      onClose={onClose}
    >
      This cannot be undone. Type your address to say that it is meant.
    </TypedConfirmation>
  );
}
