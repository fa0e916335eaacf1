/** The sign-in that a page was opened with ends, as by signing out: from the asking on, the page is quiet. */

import { useEffect, useSyncExternalStore } from "react";

// All tabs have one sign-in: its end in one of them is the end in all. What is said here is not heard here.
const tabs = new BroadcastChannel("tollkeeper-sign-in");

let isUnderWay = false;
const listeners = new Set<() => void>();

function put(value: boolean): void {
  if (value === isUnderWay) return;
  isUnderWay = value;
  for (const each of listeners) each();
}

export const ending = {
  get isUnderWay(): boolean {
    return isUnderWay;
  },
  /** Ask for the end. Where that is refused, all goes on; 401 says that it had come before. */
  async by(ask: () => Promise<Response>): Promise<Response> {
    put(true);
    try {
      const answer = await ask();
      if (answer.ok) tabs.postMessage("ended");
      else if (answer.status !== 401) put(false);
      return answer;
    } catch (error) {
      put(false);
      throw error;
    }
  },
  /** Wait while one is asked for: once it has come nothing more is to be done here, and so it is waited for ever. */
  async isOff(): Promise<void> {
    if (!isUnderWay) return;
    await new Promise<void>((resolve) => {
      const stop = listen(() => {
        stop();
        resolve();
      });
    });
  },
};

/** The sign-in is over: let this page begin anew as whoever is signed in, or another. Nothing holds it. */
export function beginAnew(place = location.href): void {
  put(true);
  if (place === location.href) location.reload();
  else location.assign(place);
}

/** Begin anew once the sign-in has ended in another tab. */
export function useEndWithOtherTabs(): void {
  useEffect(() => {
    const begin = () => beginAnew();
    tabs.addEventListener("message", begin);
    return () => tabs.removeEventListener("message", begin);
  }, []);
}

export function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether the sign-in ends or has ended. */
export function useIsEnding(): boolean {
  return useSyncExternalStore(listen, () => isUnderWay);
}

// Somebody has come back to a page that the browser had put by.
addEventListener("pageshow", ({ persisted }) => {
  if (persisted && isUnderWay) location.reload();
});
