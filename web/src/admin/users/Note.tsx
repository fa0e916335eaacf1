import { Textarea } from "@mantine/core";
import { useState } from "react";
import { useChangeUser } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { Panel } from "@/shared/Panel";
import styles from "./users.module.css";

/** What operators tell each other of a user. */
export function Note({ user }: { user: DirectoryEntry }) {
  const change = useChangeUser(user.id);
  const [note, setNote] = useState(user.note ?? "");
  const isSame = note.trim() === (user.note ?? "");
  return (
    <Panel title="Note" note="only operators see it">
      <form
        className={styles.note}
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate({ note: note.trim() || null });
        }}
      >
        <Textarea
          size="xs"
          aria-label="Note"
          autosize
          minRows={1}
          maxRows={8}
          maxLength={4000}
          placeholder="What the next operator should know"
          value={note}
          onChange={({ currentTarget }) => setNote(currentTarget.value)}
        />
        <Button type="submit" size="xs" variant="default" disabled={isSame} loading={change.isPending}>
          Save
        </Button>
      </form>
      {change.error !== null && <ErrorState problem={change.error} />}
    </Panel>
  );
}
