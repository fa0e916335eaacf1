import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { useAccount, useDeleteAccount } from "@/api/account";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { Panel } from "@/shared/Panel";
import styles from "./leaving.module.css";

/** Deleting one's account: what it means, and the way to it. */
export function DeleteAccount() {
  const email = useAccount().data?.email;
  const [isAsking, setIsAsking] = useState(false);
  return (
    <Panel title="Delete your account">
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
        <Button size="xs" color="red" disabled={email === undefined} onClick={() => setIsAsking(true)}>
          Delete account …
        </Button>
      </div>
      {isAsking && email !== undefined && <Asking email={email} onClose={() => setIsAsking(false)} />}
    </Panel>
  );
}

/** Asks for one's address, as nobody types it by mistake. */
function Asking({ email, onClose }: { email: string; onClose: () => void }) {
  const remove = useDeleteAccount();
  const [typed, setTyped] = useState("");
  const isMeant = typed.trim().toLowerCase() === email.toLowerCase();
  return (
    <Dialog title="Delete your account?" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isMeant) remove.mutate(typed.trim(), { onSuccess: () => location.assign("/") });
        }}
      >
        <p className={dialog.about}>This cannot be undone. Type your address to say that it is meant.</p>
        <TextInput
          label={email}
          data-autofocus
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={({ currentTarget }) => setTyped(currentTarget.value)}
        />
        {remove.error !== null && <ErrorState problem={remove.error} />}
        <div className={dialog.buttons}>
          <Button type="submit" color="red" size="xs" disabled={!isMeant} loading={remove.isPending}>
            Delete my account for good
          </Button>
          <Button variant="default" size="xs" onClick={onClose}>
            Cancel
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
