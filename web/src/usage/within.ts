import { startOfDay } from "@/shared/period";

const DAY = /^\d{4}-\d\d-\d\d$/;

/** What a list of requests is narrowed to, to show those of a stretch of days or hours; half-open. */
export function within(from: string, to: string, timeZone: string): { from: string; to: string } {
  const instantOf = (at: string) => (DAY.test(at) ? startOfDay(at, timeZone) : at);
  return { from: instantOf(from), to: instantOf(to) };
}
