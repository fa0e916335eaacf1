/** Instants as the clocks of the account's zone have them, by which its days are counted too; days as dates. */

import { accountQuery } from "@/api/account";
import { client } from "@/api/client";
import { DATES } from "./language";
import { dayIn, moved, startOfDay } from "./period";

/** The zone of who looks: it is the account's, not the browser's. */
export const zone = (): string => client.getQueryData(accountQuery.queryKey)?.timeZone ?? "UTC";

const known = new Map<string, ReturnType<typeof formatsOf>>();

function formats() {
  const timeZone = zone();
  const found = known.get(timeZone) ?? formatsOf(timeZone);
  known.set(timeZone, found);
  return found;
}

function formatsOf(timeZone: string) {
  const format = (style: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(DATES, { timeZone, ...style });
  return {
    // The long style of times names the zone.
    exactly: format({ dateStyle: "medium", timeStyle: "long" }),
    shortly: format({ month: "short", day: "numeric", hour: "numeric", minute: "2-digit" }),
    shortlyInYear: format({ dateStyle: "medium", timeStyle: "short" }),
    year: format({ year: "numeric" }),
    date: format({ dateStyle: "medium" }),
    hour: format({ hour: "numeric", minute: "2-digit" }),
    hours: format({
      year: "numeric",
      month: "short",
      day: "numeric",
      hour: "numeric",
      minute: "2-digit",
      timeZoneName: "short",
    }),
  };
}

const onDay = new Intl.DateTimeFormat(DATES, { month: "short", day: "numeric", timeZone: "UTC" });
const onWeekday = new Intl.DateTimeFormat(DATES, {
  weekday: "short",
  month: "short",
  day: "numeric",
  timeZone: "UTC",
});
const onDate = new Intl.DateTimeFormat(DATES, { dateStyle: "medium", timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });

/** An instant, to the second, and by the clocks of which zone. */
export const exactTime = (at: string | Date): string => formats().exactly.format(new Date(at));

/** An instant, to the minute; its year where that is not this one. */
export function shortTime(at: string | Date): string {
  const { shortly, shortlyInYear, year } = formats();
  const isThisYear = year.format(new Date(at)) === year.format();
  return (isThisYear ? shortly : shortlyInYear).format(new Date(at));
}

/** The date of an instant. */
export const dateOf = (at: string | Date): string => formats().date.format(new Date(at));

/** The day on which an instant is; its year where that is not this one. */
export const dayOf = (at: string | Date): string => dayOrDate(dayIn(zone(), new Date(at).toISOString()));

/** The last day of what ends at an instant, where that is the midnight after it. */
export function lastDayOf(end: string): string | undefined {
  const next = dayIn(zone(), end);
  return Date.parse(startOfDay(next, zone())) === Date.parse(end) ? moved(next, -1) : undefined;
}

/** through Dec 31, 2026; until Jan 1, 2027, 3:14:15 PM UTC */
export function lasting(end: string, write = exactTime): string {
  const day = lastDayOf(end);
  return day === undefined ? `until ${write(end)}` : `through ${dateInUtc(day)}`;
}

/** at midnight, after Dec 31; on Jan 1, 3:14 PM */
export function endOn(end: string): string {
  const day = lastDayOf(end);
  return day === undefined ? `on ${shortTime(end)}` : `at midnight, after ${dayOrDate(day)}`;
}

/** The time of day of an instant. */
export const hour = (at: string | number): string => formats().hour.format(new Date(at));

/** A day as YYYY-MM-DD, shortly. */
export const day = (on: string): string => onDay.format(new Date(on));

/** A day as YYYY-MM-DD, with its weekday: Fri, Oct 30. */
export const weekday = (on: string): string => onWeekday.format(new Date(on));

/** A day as YYYY-MM-DD; its year where that is not this one. */
export const dayOrDate = (on: string): string =>
  on.slice(0, 4) === formats().year.format() ? day(on) : dateInUtc(on);

/** A day as YYYY-MM-DD, or the day of UTC on which an instant is, with its year. */
export const dateInUtc = (on: string): string => onDate.format(new Date(on));

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** By how many days of the calendar something is ahead: a change of the clocks makes one longer or shorter. */
function daysAhead(then: number, now: number): number {
  const [its, today] = [then, now].map((at) => Date.parse(dayIn(zone(), new Date(at).toISOString())));
  return Math.round(((its ?? 0) - (today ?? 0)) / DAY_MS);
}

/** 3 minutes ago, yesterday at 3:14 PM, Nov 20 at 3:14 PM, in 5 hours; what is long past or far ahead by its date. */
export function fromNow(at: string | Date, now: number): string {
  const then = new Date(at).getTime();
  const seconds = (then - now) / 1_000;
  const size = Math.abs(seconds);
  if (size < 45) return seconds > 5 ? relative.format(Math.round(seconds), "second") : "just now";
  if (size < 57 * 60) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 22 * 3_600) return relative.format(Math.round(seconds / 3_600), "hour");
  const days = daysAhead(then, now);
  if (Math.abs(days) <= 1) return `${relative.format(days, "day")}, ${hour(then)}`;
  if (Math.abs(days) > 300) return dateOf(at);
  return days > 0 && days <= 31 ? relative.format(days, "day") : shortTime(at);
}

/** The hour in which something was last, as near as it is known: this hour, 3 hours ago, Nov 20. */
export function hourFromNow(at: string, now: number): string {
  return now - Date.parse(at) < HOUR_MS ? "this hour" : fromNow(at, now);
}

/** Nov 20, 2026, 3:00 PM to 4:00 PM */
export const wholeHour = (at: string): string =>
  formats().hours.formatRange(new Date(at), new Date(Date.parse(at) + HOUR_MS));

/** When a day begins, as an instant. What is no date is left to the service to refuse. */
export const beginOfDay = (date: string): string => {
  const begin = new Date(startOfDay(date, zone()));
  return Number.isNaN(begin.getTime()) ? date : begin.toISOString();
};

/** When a day is over, where one is; null where none is chosen. What is no date is left to the service to refuse. */
export function endOfDay(date: string): string | null {
  if (date === "") return null;
  return Number.isNaN(Date.parse(date)) ? date : beginOfDay(moved(date, 1));
}
