import { Button } from "@mantine/core";
import { useEffect, useRef } from "react";
import type { KeyMade } from "@/api/types";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { IconCheck, IconCopy, IconWarning } from "@/shared/icons";
import { exactTime } from "@/shared/times";
import { useCopying } from "@/shared/useCopying";
import { type Question, useUnsavedOnPage } from "@/shared/useUnsaved";
import styles from "./keys.module.css";

const KEY: Question = {
  title: "Leave without the key?",
  about: "It is shown this once. If you have not copied it, you will need another one.",
  stay: "Stay",
  go: "Leave",
};

/** A key, this once. */
export function KeyShown({ made, onClose }: { made: KeyMade; onClose: () => void }) {
  const { canCopy, isDone, isDenied, copy } = useCopying(made.key);
  const shown = useRef<HTMLOutputElement>(null);
  const question = useUnsavedOnPage(true, { question: KEY });
  useEffect(() => {
    if (isDenied && shown.current !== null) getSelection()?.selectAllChildren(shown.current);
  }, [isDenied]);
  return (
    <>
      <Dialog
        title={
          <>
            Key “<bdi>{made.name}</bdi>”
          </>
        }
        size="lg"
        isSticky
        onClose={onClose}
      >
        <div className={dialog.fields}>
          <p className={dialog.warning}>
            <IconWarning />
            <span>Copy it now. It is shown this once, and nobody can read it afterwards.</span>
          </p>
          <output ref={shown} className={styles.key} aria-label="The key">
            {made.key}
          </output>
          {isDenied && (
            <p role="alert">
              The browser does not let this page copy. The key is selected: press Ctrl+C, or ⌘C on a Mac.
            </p>
          )}
          {made.replaces != null && (
            <p className={dialog.about}>
              The old key works until {exactTime(made.replaces.expiresAt)}. Put the new one in its place by
              then.
            </p>
          )}
          <p className={dialog.about}>
            Send it with every request as <code>Authorization: Bearer …</code>, and keep it out of code and
            logs.
          </p>
        </div>
        <div className={dialog.buttons}>
          {canCopy && (
            <Button
              size="xs"
              data-autofocus
              leftSection={isDone ? <IconCheck size={14} /> : <IconCopy size={14} />}
              onClick={copy}
            >
              {isDone ? "Copied" : "Copy key"}
            </Button>
          )}
          <Button size="xs" variant="default" onClick={onClose}>
            Done
          </Button>
        </div>
      </Dialog>
      {question}
    </>
  );
}
