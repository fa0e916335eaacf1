import { Modal, Textarea } from "@mantine/core";
import { useMemo, useState } from "react";
import type { Variable } from "@/api/types";
import { useDeleteVariable, usePutVariables } from "@/api/variables";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { asDotenv, type Changes, changesOf } from "./dotenv";
import { Misread } from "./values";
import styles from "./variables.module.css";

interface EditAsTextProps {
  known: Variable[];
  /** A file that is added to what there is; without one, all of it is edited. */
  imported: string | null;
  onClose: () => void;
}

/** All variables as one text; what it changes is shown before it is done. */
export function EditAsText({ known, imported, onClose }: EditAsTextProps) {
  const [text, setText] = useState(imported ?? asDotenv(known));
  const put = usePutVariables();
  const remove = useDeleteVariable();
  const read = useMemo(() => tried(text, known, imported === null), [text, known, imported]);
  const save = async ({ put: wanted, deleted }: Changes) => {
    if (wanted.length > 0) await put.mutateAsync(wanted);
    for (const key of deleted) await remove.mutateAsync(key);
    onClose();
  };
  const problem = put.error ?? remove.error;
  const isSame = typeof read !== "string" && read.put.length + read.deleted.length === 0;
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={imported === null ? "Edit all as text" : "Import"}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <p className={styles.about}>
        {imported === null
          ? "One KEY=value a line. A line that is taken away deletes its variable; masked secrets stay as they are."
          : "Look through what the file says; variables that it does not name stay as they are."}
      </p>
      <Textarea
        aria-label="Variables as text"
        autosize
        minRows={10}
        maxRows={22}
        spellCheck={false}
        data-autofocus
        classNames={{ input: styles.mono ?? "" }}
        value={text}
        error={typeof read === "string" ? read : undefined}
        onChange={({ currentTarget }) => setText(currentTarget.value)}
      />
      {problem !== null && <ErrorState problem={problem} />}
      <div className={styles.buttons} data-apart>
        <Button
          size="xs"
          disabled={typeof read === "string" || isSame}
          loading={put.isPending || remove.isPending}
          onClick={() => typeof read !== "string" && void save(read).catch(() => undefined)}
        >
          Save
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
        <span role="status" className={styles.about}>
          {typeof read === "string" ? "" : told(read)}
        </span>
      </div>
    </Modal>
  );
}

function tried(text: string, known: Variable[], isAll: boolean): Changes | string {
  try {
    return changesOf(text, known, isAll);
  } catch (error) {
    if (error instanceof Misread) return error.message;
    throw error;
  }
}

function told({ created, changed, deleted }: Changes): string {
  const parts = [
    created.length > 0 && `${created.length} new`,
    changed.length > 0 && `${changed.length} changed`,
    deleted.length > 0 && `${deleted.length} deleted`,
  ].filter(Boolean);
  return parts.length === 0 ? "No changes" : parts.join(", ");
}
