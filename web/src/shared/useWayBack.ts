import { useEffect } from "react";

/** Once what has opened is over, whoever comes by keyboard goes on where they were. */
export function useWayBack(): void {
  useEffect(() => {
    const before = whereOneIs();
    return () => {
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
}

/** What has the focus; of a menu, which goes as one chooses, what it was opened by. */
function whereOneIs(): Element | null {
  const opener = document.activeElement?.closest("[role=menu]")?.getAttribute("aria-labelledby") ?? null;
  return opener === null ? document.activeElement : document.getElementById(opener);
}
