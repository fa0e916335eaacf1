/**
 * The dashboard as it moves, with one event stream for each browser.
 *
 * Of all tabs one leads: the one that holds the lock. It reads the stream and passes each state on to the others. When
 * it is closed the browser gives the lock to another tab, which then reads a stream of its own.
 */

import type { JsonObject } from "./mergePatch";
import { Reader, type State, type Status } from "./reader";

export type { Status } from "./reader";
export type Listener<Dashboard = JsonObject> = (dashboard: Dashboard | null, status: Status) => void;

/** What tabs say to each other: "I am new here", and the leader: "so it stands". */
type Said = { readonly kind: "hello" } | { readonly kind: "state"; readonly state: State };

const tabs = new Map<string | undefined, Tab>();

/**
 * Hear the signed-in user's dashboard now and whenever it changes; gives the function that ends it.
 *
 * With `userId` (recommended) only this user's is told: once somebody else is signed in here, the status is `ended`.
 */
export function subscribe<Dashboard = JsonObject>(
  listener: Listener<Dashboard>,
  userId?: string,
): () => void {
  const tab = tabs.get(userId) ?? new Tab(userId);
  tabs.set(userId, tab);
  // What comes over the stream is what OpenAPI calls DashboardShown; the caller's type says the same.
  const heard: Listener = (dashboard, status) => {
    listener(dashboard as Dashboard | null, status);
  };
  tab.add(heard);
  return () => {
    tab.remove(heard);
    if (tab.isIdle && tabs.get(userId) === tab) {
      tabs.delete(userId);
      tab.close();
    }
  };
}

/** What this tab knows, whether it leads or hears from the one that does. */
class Tab {
  private readonly userId: string | undefined;
  private readonly channel: BroadcastChannel;
  private readonly listeners = new Set<Listener>();
  private readonly leaving = new AbortController();
  private state: State = { dashboard: null, status: "connecting" };
  private reader: Reader | null = null;

  constructor(userId: string | undefined) {
    this.userId = userId;
    const name = `tollkeeper-dashboard:${userId ?? ""}`;
    this.channel = new BroadcastChannel(name);
    this.channel.addEventListener("message", (event: MessageEvent<Said>) => {
      this.hear(event.data);
    });
    this.say({ kind: "hello" });
    void this.campaign(name);
  }

  get isIdle(): boolean {
    return this.listeners.size === 0;
  }

  add(listener: Listener): void {
    this.listeners.add(listener);
    listener(this.state.dashboard, this.state.status);
  }

  remove(listener: Listener): void {
    this.listeners.delete(listener);
  }

  close(): void {
    this.leaving.abort();
    this.reader?.close();
    this.channel.close();
  }

  /** Lead as soon as nobody else does, until this tab is closed or nobody listens here any more. */
  private async campaign(name: string): Promise<void> {
    // Browsers have locks only where the page came over a secure connection: elsewhere each tab reads for itself.
    const locks = (navigator as { readonly locks?: LockManager }).locks;
    if (locks === undefined) {
      this.lead();
      return;
    }
    const { signal } = this.leaving;
    try {
      await locks.request(name, { signal }, async () => {
        this.lead();
        await aborted(signal);
      });
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    }
  }

  private lead(): void {
    if (this.leaving.signal.aborted) {
      return;
    }
    this.reader = new Reader(this.userId, (state) => {
      this.show(state);
      this.say({ kind: "state", state });
    });
    this.reader.open();
  }

  private hear(said: Said): void {
    if (said.kind === "hello") {
      this.reader?.again();
    } else if (this.reader === null) {
      this.show(said.state);
    }
  }

  private show(state: State): void {
    this.state = state;
    for (const listener of this.listeners) {
      listener(state.dashboard, state.status);
    }
  }

  private say(said: Said): void {
    this.channel.postMessage(said);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
}
