import { useSyncExternalStore } from "react";

const EVERY_MS = 20_000;

let now = Date.now();
const listeners = new Set<() => void>();
let ticking: ReturnType<typeof setInterval> | undefined;

function listen(listener: () => void): () => void {
  listeners.add(listener);
  ticking ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, EVERY_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  };
}

/** The time, in milliseconds, near enough for "3 minutes ago": one clock for the whole page. */
export function useNow(): number {
  // While nobody listened it stood still.
  return Math.max(
    useSyncExternalStore(listen, () => now),
    Date.now() - EVERY_MS,
  );
}
