import { lastDays, moved } from "@/shared/period";
import { within } from "@/usage/within";

/** Stretches of days that one asks for often, by their names in the address: they go on with the calendar. */
export const RANGES = {
  today: "Today",
  yesterday: "Yesterday",
  "7d": "7 days",
  "30d": "30 days",
  month: "This month",
} as const;
export type Range = keyof typeof RANGES;

export const isRange = (name: unknown): name is Range =>
  typeof name === "string" && Object.hasOwn(RANGES, name);

/** From when to when one reaches, by the calendar of a zone; half-open, as the API asks for it. */
export function daysIn(range: Range, timeZone: string): { from: string; to: string } {
  const { from, to } = datesIn(range, timeZone);
  return within(from, to, timeZone);
}

function datesIn(range: Range, timeZone: string): { from: string; to: string } {
  const today = lastDays(1, timeZone);
  if (range === "yesterday") return { from: moved(today.from, -1), to: today.from };
  if (range === "month") return { from: `${today.from.slice(0, 8)}01`, to: today.to };
  return range === "today" ? today : lastDays(Number.parseInt(range, 10), timeZone);
}
