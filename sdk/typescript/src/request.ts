/** One request of an app's user: what is said of it when it starts, and when it ends. */

import { randomBytes } from "node:crypto";
import type { Told } from "./errors.js";
import type { Entry } from "./flows.js";

/** What the service said of a finish; null: it could not be told yet, and will be. */
export type Answer = Told | null;

/**
 * What may be said of a request when it starts (`POST /api/chat/track`).
 *
 * `user`: whom it is for, with a service's key. `maxTokens`: how long the answer may be, in tokens; they are reserved
 * until the request ends.
 */
export interface About {
  user?: string;
  requestId?: string;
  model?: string;
  sessionId?: string;
  requestType?: string;
  category?: string;
  complexity?: "low" | "medium" | "high";
  maxTokens?: number;
  metadata?: Readonly<Record<string, unknown>>;
  ipAddress?: string;
  userAgent?: string;
}

/** What may be said of a request when it ends (`PUT /api/chat/track`). `cost` in US cents; rating 1 to 5. */
export interface Outcome {
  model?: string;
  tokensUsed?: number;
  tokensInput?: number;
  tokensOutput?: number;
  tokensCached?: number;
  tokensCacheWrite?: number;
  tokensReasoning?: number;
  cost?: number;
  userRating?: number;
}

const LONGEST_TEXT_BYTES = 2 ** 20;
const LONGEST_ERROR_BYTES = 2 ** 14;
const DECIMALS_OF_COST = 9;

/** One request, from when it may go ahead until it has ended. */
export class TrackedRequest {
  /** The id of the request, yours or one that was made. */
  readonly id: string;
  /** What the plan allows and what of it was used, with this one; null: it went ahead without an answer. */
  readonly limits: Told | null;
  readonly #start: Told;
  readonly #user: string | null;
  readonly #finish: (entry: Entry) => Promise<Answer>;
  readonly #beganAt = new Date();
  readonly #began = performance.now();
  #isFinished = false;

  /** It begins now. `told`: what the service said to `start`, if it did. */
  constructor(
    start: Told,
    user: string | null,
    told: Told | null,
    finish: (entry: Entry) => Promise<Answer>,
  ) {
    this.id = String(start["requestId"]);
    this.limits = told === null ? null : (told["limits"] as Told);
    this.#start = start;
    this.#user = user;
    this.#finish = finish;
  }

  /** Whether `complete` or `fail` was called. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Tell that it succeeded. Throws `Refused`: the service does not take it, which telling later would not mend. */
  async complete(response?: string | null, outcome: Outcome = {}): Promise<Answer> {
    const text = response && kept(response, LONGEST_TEXT_BYTES);
    return this.#end("completed", { response: text, ...outcome });
  }

  /** Tell that it failed. A string is told as it is; of all else its kind, for its words may be anybody's. */
  async fail(error: unknown, outcome: Outcome = {}): Promise<Answer> {
    const message = typeof error === "string" ? error : kindOf(error);
    return this.#end("failed", { errorMessage: kept(message, LONGEST_ERROR_BYTES), ...outcome });
  }

  async #end(status: "completed" | "failed", { cost, ...told }: Outcome & Told): Promise<Answer> {
    this.#isFinished = true;
    const duration = Math.round(performance.now() - this.#began);
    // Not what the clock says by now: one that was set back meanwhile would let it end before it began.
    const endedAt = new Date(this.#beganAt.getTime() + duration);
    return this.#finish({
      user: this.#user,
      start: this.#start,
      finish: { requestId: this.id, status, duration, ...given({ ...told, cost: rounded(cost) }) },
      started_at: this.#beganAt.toISOString(),
      completed_at: endedAt.toISOString(),
      was_admitted: this.limits !== null,
    });
  }
}

/** What is said when a request starts, with an id by which it counts once. */
export function startOf(prompt: string, { user, ...about }: About): Told {
  if (user && /[\p{Cc}\p{Cs}]/u.test(user))
    throw new TypeError("the name of a user has characters that cannot be told");
  const requestId = about.requestId || `c-${randomBytes(16).toString("hex")}`;
  return { prompt: kept(prompt, LONGEST_TEXT_BYTES), ...given(about), requestId };
}

/** Name the kind of what was thrown, which may be anything. */
export function kindOf(thrown: unknown): string {
  return (typeof thrown === "object" && thrown?.constructor?.name) || typeof thrown;
}

/** 3 * 0.1 has dust behind it, which the service would refuse. */
function rounded(cost: number | undefined): number | undefined {
  return cost && Number(cost.toFixed(DECIMALS_OF_COST));
}

function given(told: object): Told {
  return Object.fromEntries(
    Object.entries(told).filter(([, value]) => value !== undefined && value !== null),
  );
}

/** What can be kept of a text: characters, where half of one is none, and so many bytes of them. */
function kept(text: string, mostBytes: number): string {
  const bytes = Buffer.from(text.replaceAll("\0", "\ufffd"), "utf8").subarray(0, mostBytes);
  // As of a stream, of which a last character that is cut in two is not given yet.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: true });
}
