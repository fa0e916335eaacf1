/**
 * Whose a file of the directory is.
 *
 * Node has no lock that ends with its process, so a file's name says who holds it: the process by its number and by
 * when it began, which no later process with the same number shares, and the machine since its start with the
 * namespace that counts these numbers. Elsewhere, or where there is no /proc, nobody can look for that process; then a
 * file is held as long as it is touched.
 *
 * This may err: a process that was stopped for long seems to be gone. Taking over does no harm then. Who takes over
 * renames the file before reading it, and who writes looks after each line whether the file is still in its place, and
 * else writes all anew. So each line is read by the one, or written again by the other, or both; and what is told twice
 * counts once.
 */

import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";

/** How the name of a file ends. The client for Python, which locks its files, gives another one. */
export const KIND = ".waiting";
const QUIET_MS = 60_000;
const NOBODY = "left";

interface Holder {
  readonly place: string;
  readonly pid: number;
  readonly began: string;
}

const ME: Holder = { place: thisPlace(), pid: process.pid, began: beganAt(process.pid) ?? "" };

/** A new name for a file that this process holds. */
export function heldName(): string {
  return nameFor(ME);
}

/** A new name for a file that whoever comes first may have. */
export function leftName(): string {
  return nameFor({ place: NOBODY, pid: 0, began: "" });
}

/** Whether its holder is gone, as far as one can see. */
export function isLeft(directory: string, name: string): boolean {
  const [place, pid, began] = name.split("~");
  if (place === NOBODY) return true;
  if (ME.began && place === ME.place) return beganAt(Number(pid)) !== began;
  const touched = statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs;
  return touched !== undefined && Date.now() - touched > QUIET_MS;
}

function nameFor({ place, pid, began }: Holder): string {
  return `${[place, pid, began, randomBytes(8).toString("hex")].join("~")}${KIND}`;
}

/** When a process began, in ticks since the machine did; null: there is none, or nothing of it but its number. */
function beganAt(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name of the program comes before and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function thisPlace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot}.${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;
  } catch {
    return "elsewhere";
  }
}
