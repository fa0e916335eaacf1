/** Telling later what could not be told at once, in the background, as long as its client is there. */

import { setTimeout as pause } from "node:timers/promises";
import { Refused } from "./errors.js";
import { type Call, type Entry, tell } from "./flows.js";
import type { Journal } from "./journal.js";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
/** How often it looks for what other processes have left. */
const ADOPT_MS = 10_000;
const LOOK_MS = 20;

/** Tells the service what waits in the journal, one by one, as soon as it can be reached. */
export class Delivery {
  readonly #journal: Journal;
  readonly #call: Call;
  readonly #tries = new Map<number, number>();
  #running: Promise<void> | null = null;
  #isClosing = false;
  #wake: (() => void) | null = null;
  #wakesForMore = false;

  constructor(journal: Journal, call: Call) {
    this.#journal = journal;
    this.#call = call;
  }

  /** Begin, if it has not begun; it looks at once at what came while there was nothing to do. */
  start(): void {
    this.#running ??= this.#run();
    if (this.#wakesForMore) this.#wake?.();
  }

  /** Wait until nothing waits, or the time is over; says how many requests are still to be told. */
  async flush(ms: number): Promise<number> {
    const until = performance.now() + ms;
    while (this.#journal.waiting.size > 0) {
      const rest = until - performance.now();
      if (rest <= 0) break;
      await pause(Math.min(rest, LOOK_MS));
    }
    return this.#journal.waiting.size;
  }

  /** Stop after what is being told now. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#isClosing) {
      this.#adopt();
      if (await this.#tellAll()) {
        pauseMs = FIRST_PAUSE_MS;
        if (this.#journal.waiting.size === 0) await this.#rest(ADOPT_MS, true);
      } else {
        if (pauseMs === FIRST_PAUSE_MS && !this.#isClosing) this.#saysWhatWaits();
        await this.#rest(pauseMs, false);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
    }
  }

  /** Tell what waits; false if not all of it could be told. Nothing that goes wrong here ends the app. */
  async #tellAll(): Promise<boolean> {
    try {
      // What was tried least comes first: what nobody ever hears holds up no other.
      const inTurn = [...this.#journal.waiting].sort(
        ([one], [other]) => this.#triesOf(one) - this.#triesOf(other),
      );
      for (const [number, entry] of inTurn) {
        if (this.#isClosing || !(await this.#tell(number, entry))) return false;
      }
      return true;
    } catch (error) {
      process.emitWarning(`what has ended cannot be told: ${error}`, "TollkeeperWarning");
      return false;
    }
  }

  #saysWhatWaits(): void {
    const count = this.#journal.waiting.size;
    process.emitWarning(`requests that wait until the service takes them: ${count}`, "TollkeeperWarning");
  }

  /** Look for what others have left. A file that cannot be read holds up nothing. */
  #adopt(): void {
    try {
      this.#journal.adopt();
    } catch (error) {
      process.emitWarning(`what others have left cannot be taken over: ${error}`, "TollkeeperWarning");
    }
  }

  /** Tell one; false if nobody hears. */
  async #tell(number: number, entry: Entry): Promise<boolean> {
    this.#tries.set(number, this.#triesOf(number) + 1);
    try {
      if ((await tell(this.#call, entry)) === null) return false;
      this.#journal.done(number);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.isOfKey) return false;
      this.#journal.reject(number, error.problem);
    }
    this.#tries.delete(number);
    return true;
  }

  #triesOf(number: number): number {
    return this.#tries.get(number) ?? 0;
  }

  /** Rest without keeping the process alive. */
  async #rest(ms: number, untilMore: boolean): Promise<void> {
    if (this.#isClosing) return;
    this.#wakesForMore = untilMore;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakesForMore = false;
    this.#wake = null;
  }
}
