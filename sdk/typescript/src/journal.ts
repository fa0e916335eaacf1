/**
 * What was not told yet, in a file that outlives this process, so that it is told once the service is there again.
 *
 * A request that has ended is written down before it is told. Each process has files of its own in the directory;
 * whoever comes takes over those whose holder is gone (`holding.ts`).
 */

import { closeSync, fsyncSync, openSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Told } from "./errors.js";
import type { Entry } from "./flows.js";
import { isLeft, KIND } from "./holding.js";
import { JournalFile, leave, linesOf, taken, writeWhole } from "./journalFile.js";
import { inJson } from "./json.js";

const REJECTED = "rejected.jsonl";
/** Above this size a file begins anew when all that was written is told, or all but one in so many: it holds prompts. */
const LARGE_BYTES = 2 ** 20;
const ONE_IN = 10;

type Line = { put: number; entry: Entry } | { done: number };

/**
 * The requests of this process that have ended and are not known to be told.
 *
 * Without a directory they are kept in memory, and end with the process.
 */
export class Journal {
  readonly #directory: string | null;
  readonly #written = new Map<number, Entry>();
  readonly #waiting = new Map<number, Entry>();
  readonly #held: string[] = [];
  #file: JournalFile | null;
  readonly #unreadable = new Set<string>();
  #numbers = 0;
  #crossedOut = 0;

  constructor(directory: string | null) {
    // Wherever the process goes later.
    this.#directory = directory && resolve(directory);
    this.#file = this.#directory === null ? null : new JournalFile(this.#directory);
  }

  /**
   * Write an entry down before it is told; gives its number. Who is killed after this has lost nothing.
   *
   * On a disk that takes nothing it is in memory alone.
   */
  write(entry: Entry): number {
    return this.#put(entry).number;
  }

  /** Cross it out: it was told, or will never be taken. */
  done(number: number): void {
    this.#written.delete(number);
    this.#waiting.delete(number);
    this.#append({ done: number });
    this.#crossedOut += 1;
    if ((this.#file?.size ?? 0) > LARGE_BYTES && this.#crossedOut >= ONE_IN * this.#written.size)
      this.#clear();
  }

  /** Let these be told later. They are on the disk when this returns, for now nobody else has them. */
  keep(...numbers: readonly number[]): void {
    for (const number of numbers) {
      const entry = this.#written.get(number);
      if (entry !== undefined) this.#waiting.set(number, entry);
    }
    try {
      this.#file?.force();
    } catch (error) {
      complain(error);
    }
  }

  /** Put aside what the service will never take, with what it said, for a person to look at. */
  reject(number: number, problem: Told): void {
    const entry = this.#waiting.get(number);
    const id = entry?.start["requestId"];
    process.emitWarning(`the service does not take request ${id}: ${problem["detail"]}`, "TollkeeperWarning");
    if (this.#directory !== null) {
      const file = openSync(join(this.#directory, REJECTED), "a", 0o600);
      try {
        writeWhole(file, `${JSON.stringify({ problem, entry })}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    }
    this.done(number);
  }

  /** What is to be told, as it came. */
  get waiting(): ReadonlyMap<number, Entry> {
    return this.#waiting;
  }

  /** Take over what processes that are gone have left in the directory. */
  adopt(): void {
    if (this.#directory === null) return;
    this.#file?.touch();
    for (const name of readdirSync(this.#directory).filter((each) => each.endsWith(KIND))) {
      try {
        this.#adopt(this.#directory, name);
      } catch (error) {
        // As one of another account, which holds up no other.
        if (!this.#unreadable.has(name))
          process.emitWarning(`${name} cannot be taken over: ${error}`, "TollkeeperWarning");
        this.#unreadable.add(name);
      }
    }
  }

  /** Let go of the files: what is in them is for whoever comes next. An empty one goes. */
  close(): void {
    this.#file?.close(this.#written.size === 0);
    this.#file = null;
    for (const path of this.#held.splice(0)) leave(path);
  }

  #adopt(directory: string, name: string): void {
    if (!isLeft(directory, name)) return;
    const path = taken(directory, name);
    const left = path && linesOf(path);
    if (!left) return;
    const puts = leftIn(left, path).map((entry) => this.#put(entry));
    this.keep(...puts.map(({ number }) => number));
    // What is here in memory alone stays there, held until this journal is closed or its process gone.
    if (puts.every(({ isOnDisk }) => isOnDisk)) rmSync(path, { force: true });
    else this.#held.push(path);
  }

  /** Give it a number, and say whether it is on the disk. */
  #put(entry: Entry): { number: number; isOnDisk: boolean } {
    const isOnDisk = this.#append({ put: this.#numbers + 1, entry });
    this.#numbers += 1;
    this.#written.set(this.#numbers, entry);
    return { number: this.#numbers, isOnDisk };
  }

  #append(line: Line): boolean {
    // What JSON cannot say is refused here, also where no file is: it could never be told.
    const text = textOf(line);
    try {
      // If it was closed, what ends after that is not to be lost either.
      if ("put" in line && this.#directory !== null) this.#file ??= new JournalFile(this.#directory);
      this.#file?.append(text);
      this.#standIn(text);
      return this.#file !== null;
    } catch (error) {
      // The service may be well all the same.
      complain(error);
      return false;
    }
  }

  /** Where somebody took this process for gone, they may have read its file before the last line was in it. */
  #standIn(last: string): void {
    while (this.#file !== null && !this.#file.isInPlace) this.#beginAnew(last);
  }

  /** Let go of what is told. */
  #clear(): void {
    try {
      if (this.#written.size === 0) this.#file?.empty();
      else this.#beginAnew();
    } catch (error) {
      complain(error);
    }
    this.#crossedOut = 0;
  }

  /** Write what is not told yet into another file, which stands in for this one. */
  #beginAnew(last = ""): void {
    if (this.#directory === null) return;
    const anew = new JournalFile(this.#directory);
    for (const [put, entry] of this.#written) anew.append(textOf({ put, entry }));
    anew.append(last);
    anew.force();
    this.#file?.close(true);
    this.#file = anew;
  }
}

function complain(error: unknown): void {
  process.emitWarning(`the journal cannot be written: ${error}`, "TollkeeperWarning");
}

function textOf(line: Line): string {
  return `${inJson(line)}\n`;
}

/** What was written and not crossed out. The last line may be torn: then its request was never told. */
function leftIn(lines: readonly string[], path: string): Entry[] {
  const left = new Map<number, Entry>();
  for (const text of lines) {
    try {
      const line = JSON.parse(text) as Line;
      if ("done" in line) left.delete(line.done);
      else left.set(line.put, line.entry);
    } catch {
      process.emitWarning(`a line of ${path} cannot be read`, "TollkeeperWarning");
    }
  }
  return [...left.values()];
}
