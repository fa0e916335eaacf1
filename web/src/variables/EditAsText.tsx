import { Textarea } from "@mantine/core";
import { useMemo, useState } from "react";
import type { Variable } from "@/api/types";
import { useDeleteVariables, usePutVariables, useVariablesNow } from "@/api/variables";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { alsoChanged, asDotenv, type Changes, changesOf } from "./dotenv";
import { faultOfOne } from "./faults";
import { Misread } from "./values";
import styles from "./variables.module.css";
import { WhatChanges } from "./WhatChanges";

interface EditAsTextProps {
  known: Variable[];
  /** A file that is added to what there is; without one, all of it is edited. */
  imported: string | null;
  onClose: () => void;
}

/** All variables as one text; what it changes is shown before it is done. */
export function EditAsText({ known, imported, onClose }: EditAsTextProps) {
  // The text is of what there was as it was opened: what has come or gone since is nothing that it says.
  const [opened] = useState(known);
  const [text, setText] = useState(imported ?? asDotenv(opened));
  const read = useMemo(() => tried(text, opened, imported === null), [text, opened, imported]);
  const overwritten = typeof read === "string" ? [] : alsoChanged(read, opened, known);
  const now = useVariablesNow();
  const put = usePutVariables();
  const remove = useDeleteVariables();
  const save = async (changes: Changes) => {
    const found = await now.mutateAsync();
    // Whoever has not been told yet that they overwrite something is told first.
    if (alsoChanged(changes, opened, found).some((key) => !overwritten.includes(key))) return;
    const isThere = new Set(found.map(({ key }) => key));
    if (changes.put.length > 0) await put.mutateAsync(changes.put);
    await remove.mutateAsync(changes.deleted.filter((key) => isThere.has(key)));
    onClose();
  };
  const fault = typeof read === "string" ? read : faultOfOne(put.error, put.variables ?? []);
  const problem = now.error ?? (fault === undefined ? put.error : null) ?? remove.error;
  const isSame = typeof read !== "string" && read.put.length + read.deleted.length === 0;
  return (
    <Dialog title={imported === null ? "Edit all as text" : "Import"} size="lg" isForm onClose={onClose}>
      <p className={dialog.about}>
        {imported === null
          ? "One KEY=value a line. A line that is taken away deletes its variable; masked secrets stay as they are."
          : "Look through what the file says; variables that it does not name stay as they are."}
      </p>
      <Textarea
        aria-label="Variables as text"
        autosize
        minRows={10}
        maxRows={18}
        spellCheck={false}
        data-autofocus
        classNames={{ input: styles.mono ?? "" }}
        value={text}
        error={fault}
        onChange={({ currentTarget }) => setText(currentTarget.value)}
      />
      <div role="status">
        {typeof read !== "string" && <WhatChanges of={read} overwritten={overwritten} />}
      </div>
      {problem !== null && <ErrorState problem={problem} />}
      <div className={dialog.buttons}>
        <Button
          size="xs"
          disabled={typeof read === "string" || isSame}
          loading={now.isPending || put.isPending || remove.isPending}
          onClick={() => typeof read !== "string" && void save(read).catch(() => undefined)}
        >
          {overwritten.length > 0 ? "Save mine" : "Save"}
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </Dialog>
  );
}

function tried(text: string, opened: Variable[], isAll: boolean): Changes | string {
  try {
    return changesOf(text, opened, isAll);
  } catch (error) {
    if (error instanceof Misread) return error.message;
    throw error;
  }
}
