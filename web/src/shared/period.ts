import { useNavigate, useSearch } from "@tanstack/react-router";
import { useSettings } from "@/api/settings";
import type { Settings } from "@/api/types";

/** How far a page can look back, in days; one is the last 24 hours. */
export const PERIODS = [1, 7, 14, 30, 90] as const;
export type Days = (typeof PERIODS)[number];

/** 24 hours, 7 days */
export const periodName = (days: Days): string => (days === 1 ? "24 hours" : `${days} days`);

/** How many days a page looks back, in its address; nothing else of it is believed. */
export function period(search: Record<string, unknown>): { days?: string } {
  return isOne(Number(search.days)) ? { days: String(search.days) } : {};
}

const isOne = (days: number): days is Days => PERIODS.some((each) => each === days);

/** How many days: as the address says, else as the settings do. */
export function daysOf(asked: string | undefined, settings: Pick<Settings, "daysShown"> | undefined): Days {
  const days = Number(asked);
  return isOne(days) ? days : (settings?.daysShown ?? 30);
}

/** How many days are looked at, and how that is changed: as the address says, else as the settings do. */
export function useDays(): [Days, (days: Days) => void] {
  const { days } = useSearch({ strict: false }) as { days?: string };
  const settings = useSettings();
  const navigate = useNavigate();
  const shown = daysOf(days, settings.data);
  const show = (chosen: Days) =>
    void navigate({
      to: ".",
      search: (before) => ({ ...before, days: String(chosen) }),
      resetScroll: false,
    });
  return [shown, show];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The last days up to and with today, in a time zone; half-open, as the API asks for them. */
export function lastDays(days: number, timeZone: string): { from: string; to: string } {
  const today = dateIn(timeZone);
  return { from: moved(today, 1 - days), to: moved(today, 1) };
}

/** The last 24 hours up to and with this one, in whole hours; half-open. */
export function lastHours(): { from: string; to: string } {
  const to = (Math.floor(Date.now() / HOUR_MS) + 1) * HOUR_MS;
  return { from: instantOf(to - DAY_MS), to: instantOf(to) };
}

const instantOf = (ms: number): string => new Date(ms).toISOString().replace(".000", "");

/** A date, some days later. */
export function moved(date: string, days: number): string {
  return new Date(Date.parse(date) + days * DAY_MS).toISOString().slice(0, 10);
}

// This locale writes dates as YYYY-MM-DD.
const dateIn = (timeZone: string, at = new Date()): string =>
  new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" }).format(at);

/** The day, in a time zone, of an instant or a date of UTC; empty for what is neither. */
export function dayIn(timeZone: string, at: string): string {
  const known = Date.parse(at);
  return Number.isNaN(known) ? "" : dateIn(timeZone, new Date(known));
}

/** When a day begins in a time zone: as an instant, and where it is the same as in UTC, as the date that it is. */
export function startOfDay(date: string, timeZone: string): string {
  const midnight = Date.parse(date);
  if (Number.isNaN(midnight)) return date;
  // The clocks may change on the very day, so the offset is looked up again at the first guess.
  const guess = midnight - offsetAt(timeZone, midnight);
  const start = midnight - offsetAt(timeZone, guess);
  return start === midnight ? date : instantOf(start);
}

/** By how much the clocks of a zone are ahead of UTC, in milliseconds. */
function offsetAt(timeZone: string, at: number): number {
  const shown = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  return Date.parse(`${shown.format(at).replace(" ", "T")}Z`) - Math.floor(at / 1_000) * 1_000;
}
