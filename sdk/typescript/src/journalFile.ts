/** The files of a journal, on the disk. Nobody but this account may read them, for they hold prompts and responses. */

import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { heldName, leftName } from "./holding.js";

/** A file that this process holds and appends to. */
export class JournalFile {
  readonly #path: string;
  readonly #file: number;
  size = 0;

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#path = join(directory, heldName());
    this.#file = openSync(this.#path, "ax", 0o600);
  }

  get isInPlace(): boolean {
    return existsSync(this.#path);
  }

  append(text: string): void {
    try {
      this.size += writeWhole(this.#file, text);
    } catch (error) {
      // A disk that is full may have taken half a line, which would spoil the next one.
      ftruncateSync(this.#file, this.size);
      throw error;
    }
  }

  force(): void {
    fsyncSync(this.#file);
  }

  empty(): void {
    ftruncateSync(this.#file);
    this.size = 0;
  }

  touch(): void {
    const now = new Date();
    futimesSync(this.#file, now, now);
  }

  close(isEmpty: boolean): void {
    closeSync(this.#file);
    if (isEmpty) rmSync(this.#path, { force: true });
    else leave(this.#path);
  }
}

/** Write all of it, for a call may write a part. Gives how many bytes these were. */
export function writeWhole(file: number, text: string): number {
  const bytes = Buffer.from(text, "utf8");
  let at = 0;
  while (at < bytes.length) at += writeSync(file, bytes, at);
  return bytes.length;
}

/** Take a file from its place, so that whoever else wants it, its holder too, sees that it is gone; null: it was. */
export function taken(directory: string, name: string): string | null {
  const [from, to] = [join(directory, name), join(directory, heldName())];
  return moved(from, to) ? to : null;
}

/** Let whoever comes first have a file. */
export function leave(path: string): void {
  moved(path, join(dirname(path), leftName()));
}

/** What lines a file has; null: it is gone. A last one without an end is torn, and is none. */
export function linesOf(path: string): string[] | null {
  return unlessAbsent(() => readFileSync(path, "utf8").split("\n").slice(0, -1));
}

function moved(from: string, to: string): boolean {
  const now = new Date();
  return (
    unlessAbsent(() => {
      // Touched before, for a holder whom nobody can look for is known by that.
      utimesSync(from, now, now);
      renameSync(from, to);
      return true;
    }) ?? false
  );
}

function unlessAbsent<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
