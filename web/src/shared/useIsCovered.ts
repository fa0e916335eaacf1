import { useLayoutEffect, useRef, useSyncExternalStore } from "react";

/** What has opened over the page, the last on top. */
let layers: readonly object[] = [];
const listeners = new Set<() => void>();

function put(changed: readonly object[]): void {
  layers = changed;
  for (const tell of listeners) tell();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether something else has opened over this: then an Escape, and a click beside it, are not its own. */
export function useIsCovered(isOpen = true): boolean {
  const own = useRef({}).current;
  useLayoutEffect(() => {
    if (!isOpen) return;
    put([...layers, own]);
    return () => put(layers.filter((each) => each !== own));
  }, [isOpen, own]);
  return useSyncExternalStore(listen, () => layers.includes(own) && layers.at(-1) !== own);
}
