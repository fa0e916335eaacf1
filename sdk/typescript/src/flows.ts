/** What is said to the service and what its answers mean. How it is said is for `wire.ts`. */

import { setTimeout as pause } from "node:timers/promises";
import { LimitReached, Refused, type Told, Unavailable } from "./errors.js";

/** One call; `user` is whom it is for, if the key acts for many. `ms`: nobody waits for it longer. */
export interface Ask {
  readonly method: "POST" | "PUT";
  readonly path: string;
  readonly body: unknown;
  readonly user: string | null;
  readonly ms?: number;
}

/**
 * One answer; `retryAfterMs` is 0 where it does not say.
 *
 * `body` is null where it is no JSON object: then somebody on the way has answered.
 */
export interface Reply {
  readonly status: number;
  readonly body: Told | null;
  readonly retryAfterMs: number;
}

/** Makes one call; null: no answer came. */
export type Call = (ask: Ask) => Promise<Reply | null>;

/**
 * A request that has ended: all that is needed to tell of it, also to a service that never heard of its start.
 *
 * Its fields are named as the lines of a journal name them, in every language. `was_admitted`: the service said yes to
 * the start. Times are RFC 3339.
 */
export interface Entry {
  readonly user: string | null;
  readonly start: Told;
  readonly finish: Told;
  readonly started_at: string;
  readonly completed_at: string;
  readonly was_admitted: boolean;
}

const TRACK = "/api/chat/track";
const BATCH = "/api/chat/track/batch";
const OURS = "/problems/";
/** What those on the way say, too: who calls, that it is forbidden or nowhere, who calls them. */
const OFTEN_OTHERS: ReadonlySet<number> = new Set([401, 403, 404, 407]);
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** What the last call of a start has at least: no pause takes the rest of the patience. */
const LAST_CALL_MS = 50;

/** Ask whether a request may go ahead. Throws `Refused`: no; `Unavailable`: nobody said so within `patienceMs`. */
export async function askToStart(
  call: Call,
  start: Told,
  user: string | null,
  patienceMs: number,
): Promise<Told> {
  const until = performance.now() + patienceMs;
  let reply: Reply | null = null;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const ms = until - performance.now();
    if (ms <= 0) break;
    reply = await call({ method: "POST", path: TRACK, body: start, user, ms });
    if (reply !== null && !isUnavailable(reply)) return yes(reply);
    const rest = until - performance.now() - LAST_CALL_MS;
    if (rest <= 0) break;
    await pause(Math.min(rest, Math.max(pauseMs, reply?.retryAfterMs ?? 0)));
  }
  const instead = reply === null ? "nobody answered" : `the last answer was ${reply.status}`;
  throw new Unavailable(
    `the service did not say within ${patienceMs} ms whether the request may go ahead: ${instead}`,
  );
}

/**
 * Tell how a request ended; null if nobody heard. However often it is told, it counts once.
 *
 * Throws `Refused`: it is never taken.
 */
export async function tell(call: Call, entry: Entry): Promise<Told | null> {
  const reply = await call({ method: "PUT", path: TRACK, body: entry.finish, user: entry.user });
  if (reply === null || isUnavailable(reply)) return null;
  return reply.status === 404 && !entry.was_admitted ? book(call, entry) : yes(reply);
}

/** The service never heard of the start, or is not known to: what has ended elsewhere is booked at its own time. */
async function book(call: Call, entry: Entry): Promise<Told | null> {
  const times = { startedAt: entry.started_at, completedAt: entry.completed_at };
  const item = { ...entry.start, ...entry.finish, ...times, user: entry.user };
  const reply = await call({ method: "POST", path: BATCH, body: [item], user: null });
  if (reply === null || isUnavailable(reply)) return null;
  const [verdict] = yes(reply)["results"] as [Told];
  if (verdict["verdict"] === "unavailable") return null;
  const problem = verdict["problem"] as Told | undefined;
  if (problem) throw new Refused(Number(problem["status"]), problem);
  return verdict;
}

/** Whether the same call may succeed later. */
function isUnavailable({ status, body }: Reply): boolean {
  // A page or another address is no answer of the service: what was told to it would be lost.
  if (status < 400) return status >= 300 || body?.["success"] !== true;
  // Its own no comes with its problem; another is somebody's on the way.
  const problem = String(body?.["type"]);
  if (status === 429) return problem !== `${OURS}limit-reached`;
  if (OFTEN_OTHERS.has(status)) return !problem.startsWith(OURS);
  return status >= 500 || status === 408;
}

/** Give the body of a yes. */
function yes({ status, body }: Reply): Told {
  if (status < 400) return body ?? {};
  throw new (status === 429 ? LimitReached : Refused)(status, body ?? {});
}
