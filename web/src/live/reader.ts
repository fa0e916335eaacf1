/** Reads the event stream of the dashboard, folds it into states, and comes back when it breaks. */

import { applyMergePatch, isObject, type Json, type JsonObject } from "./mergePatch";

/**
 * `connecting`: nothing is known yet. `live`: what is shown is what is. `reconnecting`: it was, and is again soon.
 * `ended`: the sign-in is over or somebody else's, and nothing more comes.
 */
export type Status = "connecting" | "live" | "reconnecting" | "ended";

export interface State {
  readonly dashboard: JsonObject | null;
  readonly status: Status;
}

const PATH = "/api/user/dashboard/stream";
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export class Reader {
  private source: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pause = FIRST_PAUSE_MS;
  private isClosed = false;
  private state: State = { dashboard: null, status: "connecting" };
  private readonly userId: string | undefined;
  private readonly tell: (state: State) => void;

  /** Only the dashboard of `userId` is told; of whoever is signed in if that is undefined. */
  constructor(userId: string | undefined, tell: (state: State) => void) {
    this.userId = userId;
    this.tell = tell;
  }

  /** Open the stream if it is not, without waiting for the end of a pause. */
  open(): void {
    if (this.source !== null || this.isClosed) {
      return;
    }
    clearTimeout(this.timer);
    const source = new EventSource(PATH);
    this.source = source;
    source.addEventListener("dashboard", (event: MessageEvent<string>) => {
      this.take(JSON.parse(event.data) as Json);
    });
    source.addEventListener("change", (event: MessageEvent<string>) => {
      this.take(applyMergePatch(this.state.dashboard ?? {}, JSON.parse(event.data) as Json));
    });
    // After a break nothing comes if nothing has changed: the browser tells what it saw last, and the server compares.
    source.addEventListener("open", () => {
      this.pause = FIRST_PAUSE_MS;
      this.put(this.state.dashboard, this.state.dashboard === null ? "connecting" : "live");
    });
    source.addEventListener("error", () => {
      this.broke(source);
    });
  }

  /** Stop for good. */
  close(): void {
    this.isClosed = true;
    this.letGo();
  }

  /** Tell the last state once more, for those who came later; if there is no stream, try now. */
  again(): void {
    if (this.state.status !== "connecting") {
      this.tell(this.state);
    }
    this.open();
  }

  private take(dashboard: Json): void {
    if (!isObject(dashboard)) {
      return;
    }
    const user = dashboard["user"];
    if (this.userId !== undefined && isObject(user) && user["id"] !== this.userId) {
      // Somebody else has signed in meanwhile: their numbers do not belong on this page.
      this.end();
    } else {
      this.put(dashboard, "live");
    }
  }

  /** The browser itself comes back after a lost connection, but not after an answer that is no stream. */
  private broke(source: EventSource): void {
    this.put(this.state.dashboard, this.state.dashboard === null ? "connecting" : "reconnecting");
    if (source.readyState === EventSource.CLOSED && source === this.source) {
      this.letGo();
      void this.comeBack();
    }
  }

  private async comeBack(): Promise<void> {
    if (await isOver()) {
      this.end();
      return;
    }
    this.timer = setTimeout(
      () => {
        this.open();
      },
      this.pause * (0.5 + Math.random()),
    );
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
  }

  private letGo(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private end(): void {
    this.letGo();
    this.put(null, "ended");
  }

  private put(dashboard: JsonObject | null, status: Status): void {
    const isNew = dashboard !== this.state.dashboard || status !== this.state.status;
    if (isNew && !this.isClosed) {
      this.state = { dashboard, status };
      this.tell(this.state);
    }
  }
}

/** Whether the server knows this browser no longer. An `EventSource` does not say why it was refused. */
async function isOver(): Promise<boolean> {
  try {
    const answer = await fetch(PATH, { method: "HEAD", cache: "no-store" });
    return answer.status === 401 || answer.status === 403;
  } catch {
    return false;
  }
}
