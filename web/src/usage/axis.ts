import { durationIn, UNITS_MS } from "@/shared/format";

/** As wide as what stands at it: amounts of money and durations may be long. */
export const Y_AXIS = {
  width: "auto",
  tickMargin: 4,
  // Not moved aside, as the library has it: that would not be counted in.
  tick: { fontSize: 12, fill: "currentColor" },
} as const;

/** Where a chart has room for four names below it. */
export const NARROW = "(max-width: 720px)";

// Of hours, of days of the week and of the month.
const STEPS = [1, 2, 3, 5, 6, 7, 10, 14, 15, 30];

/** Which buckets are named at the axis, so that charts of one width below each other name the same: each of so many. */
export function xAxis(buckets: number, isNarrow: boolean) {
  const most = isNarrow ? 4 : 8;
  const step = STEPS.find((each) => Math.ceil(buckets / each) <= most) ?? buckets;
  return { interval: step - 1, tickMargin: 8 };
}

const TICKS = 4;

/** Steps between which durations up to the longest one lie, all round and in one unit, so that none is rounded. */
export function durationAxis(longest: number): { ticks: number[]; write: (ms: number) => string } {
  for (const [unit, size] of UNITS_MS) {
    const step = roundAbove(longest / size / TICKS);
    const steps = Math.max(1, Math.ceil(longest / size / step));
    if (step * steps < 1 && unit !== "ms") continue;
    const ticks = Array.from(
      { length: steps + 1 },
      (_, place) => Number((place * step).toPrecision(6)) * size,
    );
    return { ticks, write: (ms) => durationIn(unit, ms) };
  }
  return { ticks: [], write: String };
}

/** The next of 1, 2, 5, 10, and so on; of fractions, too. */
function roundAbove(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((each) => each * power >= value) ?? 10);
}
