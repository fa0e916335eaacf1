/** What is sensitive asks for a sign-in of the last minutes: one dialog for all who call, and one answer for all. */

import { useSyncExternalStore } from "react";

type Answered = (hasSignedIn: boolean) => void;

let waiting: Promise<boolean> | null = null;
let answered: Answered | null = null;
let endedAt = Number.NEGATIVE_INFINITY;
// A call that set out with the session of before has come back by then.
const LATE_MS = 5_000;
const listeners = new Set<() => void>();

function tell(): void {
  for (const each of listeners) each();
}

export const confirmation = {
  /** Have whoever is there sign in anew; whether they did. */
  asked(): Promise<boolean> {
    waiting ??= new Promise((resolve) => {
      answered = resolve;
    });
    tell();
    return waiting;
  },
  /** Whether a sign-in anew goes on or has just been: it ends the session of before, with which one may have called. */
  async underWay(): Promise<boolean> {
    return waiting ?? Date.now() - endedAt < LATE_MS;
  },
  /** End it. */
  answer(hasSignedIn: boolean): void {
    answered?.(hasSignedIn);
    if (hasSignedIn) endedAt = Date.now();
    waiting = answered = null;
    tell();
  },
};

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether somebody is asked right now who they are. */
export function useIsConfirming(): boolean {
  return useSyncExternalStore(listen, () => waiting !== null);
}
