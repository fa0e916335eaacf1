import { ActionIcon, Tooltip } from "@mantine/core";
import { useState } from "react";
import { IconCheck, IconCopy } from "./icons";

const SHOWN_MS = 1_500;

/** Puts a text on the clipboard, where the browser has one for pages. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [isDone, setIsDone] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setIsDone(true);
    setTimeout(() => setIsDone(false), SHOWN_MS);
  };
  return (
    <Tooltip label={isDone ? "Copied" : label}>
      <ActionIcon variant="subtle" color="gray" size="sm" aria-label={label} onClick={() => void copy()}>
        {isDone ? <IconCheck size={14} /> : <IconCopy size={14} />}
      </ActionIcon>
    </Tooltip>
  );
}
