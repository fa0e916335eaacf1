import { Delivery } from "./delivery.js";
import { Refused, Unavailable } from "./errors.js";
import { askToStart, type Call, type Entry, tell } from "./flows.js";
import { Journal } from "./journal.js";
import { type About, type Answer, kindOf, startOf, TrackedRequest } from "./request.js";
import { calls } from "./wire.js";

/**
 * What to do without an answer, and where to keep what is not told yet.
 *
 * `journal`: a directory, for any number of processes; without it what was not told yet ends with the process.
 * `whenUnavailable`: whether a request may go ahead ("open") when the service does not say so within `patienceMs`, which
 * is all that a start takes, however often it has to be asked for.
 * `timeoutMs`: of one call.
 */
export interface Settings {
  journal?: string;
  whenUnavailable?: "closed" | "open";
  patienceMs?: number;
  timeoutMs?: number;
}

const OF_SERVICES = "tk_service_";

/**
 * Asks whether requests may go ahead, and tells how they went.
 *
 * `key`: a service's, or a user's, for whom alone it asks then.
 */
export class Tollkeeper {
  readonly #call: Call;
  readonly #goesAhead: boolean;
  readonly #patienceMs: number;
  readonly #journal: Journal;
  readonly #delivery: Delivery;

  constructor(url: string | URL, key: string, settings: Settings = {}) {
    const { journal, whenUnavailable = "closed", patienceMs = 2_000, timeoutMs = 5_000 } = settings;
    this.#goesAhead = whenUnavailable === "open";
    if (this.#goesAhead && !key.startsWith(OF_SERVICES))
      throw new TypeError('whenUnavailable: "open" needs a service key: others cannot book what has ended');
    this.#patienceMs = patienceMs;
    this.#call = calls(url, key, timeoutMs);
    this.#journal = new Journal(journal ?? null);
    this.#delivery = new Delivery(this.#journal, this.#call);
    if (journal !== undefined) this.#delivery.start();
  }

  /**
   * Track one request: ask, let `block` do it, and tell. Throws `Refused` where the plan says no, or `Unavailable`.
   *
   * A block that ends without a word of the outcome has completed it; one that throws has failed it.
   */
  async track<T>(
    prompt: string,
    about: About,
    block: (request: TrackedRequest) => T | Promise<T>,
  ): Promise<T> {
    const request = await this.start(prompt, about);
    let given: T;
    try {
      given = await block(request);
    } catch (thrown) {
      if (!request.isFinished) await this.#hasFailed(request, thrown);
      throw thrown;
    }
    if (!request.isFinished) await request.complete();
    return given;
  }

  /** Ask, for who tells in another place. A request of which nothing is told expires by itself. */
  async start(prompt: string, about: About = {}): Promise<TrackedRequest> {
    const start = startOf(prompt, about);
    const user = about.user ?? null;
    const told = await askToStart(this.#call, start, user, this.#patienceMs).catch((error: unknown) => {
      if (this.#goesAhead && error instanceof Unavailable) return null;
      throw error;
    });
    return new TrackedRequest(start, user, told, (entry) => this.#finish(entry));
  }

  /** Wait until all that could not be told at once is told; says how many requests still wait then. */
  flush(ms = 10_000): Promise<number> {
    return this.#delivery.flush(ms);
  }

  /** Tell what can be told soon. The rest stays in the journal for whoever comes next. */
  async close(flushMs = 2_000): Promise<void> {
    await this.flush(flushMs);
    await this.#delivery.close();
    this.#journal.close();
  }

  async #finish(entry: Entry): Promise<Answer> {
    const number = this.#journal.write(entry);
    let told: Answer;
    try {
      told = await tell(this.#call, entry);
    } catch (error) {
      // For a key that is not taken any more, as after a rotation, it waits for the right one.
      if (error instanceof Refused && !error.isOfKey) this.#journal.done(number);
      else this.#keep(number);
      throw error;
    }
    if (told === null) this.#keep(number);
    else this.#journal.done(number);
    return told;
  }

  #keep(number: number): void {
    this.#journal.keep(number);
    this.#delivery.start();
  }

  /** What the block has thrown is what its caller hears of, also where the service does not take that it failed. */
  async #hasFailed(request: TrackedRequest, thrown: unknown): Promise<void> {
    try {
      await request.fail(kindOf(thrown));
    } catch (error) {
      process.emitWarning(
        `request ${request.id} has failed, and cannot be told: ${error}`,
        "TollkeeperWarning",
      );
    }
  }
}
