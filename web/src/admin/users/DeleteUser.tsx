import { Button } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useDeleteUser } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { Panel } from "@/shared/Panel";
import { TypedConfirmation } from "@/shared/TypedConfirmation";
import styles from "./users.module.css";

/** Deleting a user with all that is theirs; the address is typed to say that it is meant. */
export function DeleteUser({ user }: { user: DirectoryEntry }) {
  const remove = useDeleteUser(user.id);
  const navigate = useNavigate();
  const [isAsking, setIsAsking] = useState(false);
  return (
    <Panel title="Delete this user">
      <div className={styles.last}>
        <p className={styles.soft}>
          Requests with their texts, variables, keys and sign-ins go at once and for good. Sums over all users
          stay, as nobody's. To keep what there is, switch the account off instead.
        </p>
        <Button size="xs" color="red" onClick={() => setIsAsking(true)}>
          Delete user …
        </Button>
      </div>
      {isAsking && (
        <TypedConfirmation
          title="Delete this user?"
          word={user.email ?? user.id}
          verb="Delete for good"
          isPending={remove.isPending}
          problem={remove.error}
          onMeant={() =>
            // What was typed of them, as a note, is of nobody by now.
            remove.mutate(undefined, {
              onSuccess: () => void navigate({ to: "/admin/users", ignoreBlocker: true }),
            })
          }
          onClose={() => setIsAsking(false)}
        >
          All that is theirs goes, and nobody can bring it back. Type the address to say that it is meant.
        </TypedConfirmation>
      )}
    </Panel>
  );
}
