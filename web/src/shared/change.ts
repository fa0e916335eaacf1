import { count, percent } from "./format";
import { NUMBERS } from "./language";

/** In which words two amounts are compared: how many, how much, how long; rates by points, ratings by stars. */
export type Kind = "many" | "much" | "long" | "points" | "stars";

export interface Change {
  /** Where there is little room: 13× as many. */
  short: string;
  /** The whole of it: 13× as many as in the 30 days before (1,234). */
  told: string;
  direction: "up" | "down" | "none";
}

const NOTICED = 0.005;
const WORDS = {
  many: { up: "more", down: "fewer" },
  much: { up: "more", down: "less" },
  long: { up: "longer", down: "shorter" },
};
const tenths = new Intl.NumberFormat(NUMBERS, { maximumFractionDigits: 1 });

type Known = number | null | undefined;

/** How an amount compares with the one before; null where there is nothing to compare. */
export function changeOf(
  now: Known,
  before: Known,
  kind: Kind,
  than: string,
  write: (value: number) => string,
): Change | null {
  if (now === null || now === undefined || before === null || before === undefined) return null;
  const was = `in ${than} (${write(before)})`;
  if (kind === "points") return apart(100 * (now - before), "points", was);
  if (kind === "stars") return apart(now - before, "stars", was);
  if (before === 0)
    return now === 0 ? null : { short: "new", told: `There was nothing in ${than}`, direction: "none" };
  return ratio(now / before, kind, was);
}

function ratio(times: number, kind: "many" | "much" | "long", was: string): Change {
  const by = times - 1;
  const direction = Math.abs(by) < NOTICED ? "none" : by > 0 ? "up" : "down";
  if (direction === "none") return { short: "no change", told: `As ${kind} as ${was}`, direction };
  if (times === 0) return { short: "none now", told: `None now; there was some ${was}`, direction };
  if (times < 0.01) return { short: "under 1% of before", told: `Under 1% of what it was ${was}`, direction };
  if (times >= 2) {
    const short = `${times < 10 ? tenths.format(times) : count(Math.round(times))}× as ${kind}`;
    return { short, told: `${short} as ${was}`, direction };
  }
  const short = `${percent(Math.round(100 * Math.abs(by)) / 100)} ${WORDS[kind][direction]}`;
  return { short, told: `${short} than ${was}`, direction };
}

function apart(by: number, unit: "points" | "stars", was: string): Change {
  const size = tenths.format(Math.abs(by));
  if (size === "0") return { short: "no change", told: `As ${was}`, direction: "none" };
  const direction = by > 0 ? "up" : "down";
  const named = unit === "points" ? `${size} ${size === "1" ? "point" : "points"}` : size;
  const short = `${named} ${direction === "up" ? "higher" : "lower"}`;
  return { short, told: `${short} than ${was}`, direction };
}
