import { useState } from "react";

const SHOWN_MS = 1_500;

/** Copying a text: whether the browser has a clipboard for pages, and what became of it. */
export function useCopying(text: string) {
  const [became, setBecame] = useState<"done" | "denied" | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return setBecame("denied");
    }
    setBecame("done");
    setTimeout(() => setBecame(null), SHOWN_MS);
  };
  return {
    canCopy: navigator.clipboard !== undefined,
    isDone: became === "done",
    isDenied: became === "denied",
    copy: () => void copy(),
    dismiss: () => setBecame(null),
  };
}
