import { useEffect } from "react";

const TAKES_FOCUS = "a[href], button:not(:disabled), input:not(:disabled), [tabindex='0']";

/**
 * Once what has opened is over, whoever comes by keyboard goes on where they were; where that is gone with what was done,
 * beside it, and not at the beginning of the page.
 */
export function useWayBack(): void {
  useEffect(() => {
    const before = whereOneIs();
    const around = partsAround(before);
    return () => {
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
      if (document.activeElement !== null && document.activeElement !== document.body) return;
      const part = around.find(({ isConnected }) => isConnected);
      part?.querySelector<HTMLElement>(TAKES_FOCUS)?.focus({ preventScroll: true });
    };
  }, []);
}

/** What has the focus; of a menu, which goes as one chooses, what it was opened by. */
function whereOneIs(): Element | null {
  const opener = document.activeElement?.closest("[role=menu]")?.getAttribute("aria-labelledby") ?? null;
  return opener === null ? document.activeElement : document.getElementById(opener);
}

/** The parts of the page in which something is, the nearest first. */
function partsAround(place: Element | null): Element[] {
  const part = place?.parentElement?.closest("tbody, section, main") ?? null;
  return part === null ? [] : [part, ...partsAround(part)];
}
