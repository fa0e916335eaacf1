import { ActionIcon, Textarea, Tooltip } from "@mantine/core";
import { Dialog } from "./Dialog";
import dialog from "./Dialog.module.css";
import { IconCheck, IconCopy } from "./icons";
import { useCopying } from "./useCopying";

/** Puts a text on the clipboard, where the browser has one for pages; where it denies it, one copies by hand. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const { canCopy, isDone, isDenied, copy, dismiss } = useCopying(text);
  if (!canCopy) return null;
  return (
    <>
      <Tooltip label={isDone ? "Copied" : label}>
        <ActionIcon variant="subtle" color="gray" size="sm" aria-label={label} onClick={copy}>
          {isDone ? <IconCheck size={14} /> : <IconCopy size={14} />}
        </ActionIcon>
      </Tooltip>
      {isDenied && (
        <Dialog title="Copy it by hand" onClose={dismiss}>
          <p className={dialog.about}>
            The browser does not let this page copy. The text is selected: press Ctrl+C, or ⌘C on a Mac.
          </p>
          <Textarea
            aria-label="The text to copy"
            readOnly
            data-autofocus
            autosize
            maxRows={12}
            value={text}
            onFocus={({ currentTarget }) => currentTarget.select()}
          />
        </Dialog>
      )}
    </>
  );
}
