import { Textarea } from "@mantine/core";
import { useState } from "react";
import { useChangeUser, useUserNow } from "@/api/admin";
import { Problem } from "@/api/call";
import { isOvertaken as isTooLate } from "@/api/catalogue";
import type { DirectoryEntry } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { Panel } from "@/shared/Panel";
import { useUnsavedOnPage } from "@/shared/useUnsaved";
import styles from "./users.module.css";

/** What operators tell each other of a user. It follows what others write, until one has typed something oneself. */
export function Note({ user }: { user: DirectoryEntry }) {
  const now = useUserNow(user.id);
  const change = useChangeUser(user.id);
  const kept = user.note ?? "";
  /** What is typed, and what stood there when that was begun. */
  const [typed, setTyped] = useState<{ note: string; before: string } | null>(null);
  const isTouched = typed !== null && (typed.before === kept || typed.note.trim() !== typed.before);
  const note = isTouched ? typed.note : kept;
  const isNew = note.trim() !== kept;
  const isOvertaken = isTouched && isNew && typed.before !== kept;
  const question = useUnsavedOnPage(isTouched && isNew);
  const save = async () => {
    if (typed === null) return;
    try {
      await change.mutateAsync({ note: note.trim() || null, noteSeen: typed.before || null });
      setTyped(null);
    } catch (problem) {
      // What stands there by now is newer than what is shown here.
      if (problem instanceof Problem && isTooLate(problem)) await now.mutateAsync();
    }
  };
  const problem = now.error ?? (change.error !== null && isTooLate(change.error) ? null : change.error);
  return (
    <Panel title="Note" note="only operators see it">
      <form
        className={styles.note}
        onSubmit={(event) => {
          event.preventDefault();
          void save().catch(() => undefined);
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
          onChange={({ currentTarget: { value } }) =>
            setTyped({ note: value, before: isTouched ? typed.before : kept })
          }
        />
        <Button
          type="submit"
          size="xs"
          variant="default"
          disabled={!isNew || isOvertaken}
          loading={now.isPending || change.isPending}
        >
          Save
        </Button>
      </form>
      {isOvertaken && (
        <Overtaken by={kept} onTake={() => setTyped(null)} onKeep={() => setTyped({ note, before: kept })} />
      )}
      {problem !== null && <ErrorState problem={problem} />}
      {question}
    </Panel>
  );
}

interface OvertakenProps {
  by: string;
  onTake: () => void;
  onKeep: () => void;
}

/** Another operator has written something since one began to type. */
function Overtaken({ by, onTake, onKeep }: OvertakenProps) {
  return (
    <div className={styles.overtaken} role="alert">
      <p>
        {by === ""
          ? "Somebody has taken the note away while you typed."
          : "Somebody has changed the note while you typed. Now it says:"}
      </p>
      {by !== "" && <blockquote>{by}</blockquote>}
      <div>
        <Button size="xs" variant="default" onClick={onTake}>
          Take theirs
        </Button>
        <Button size="xs" variant="default" onClick={onKeep}>
          Keep mine
        </Button>
      </div>
    </div>
  );
}
