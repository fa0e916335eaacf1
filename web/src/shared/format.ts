/** Numbers and times as the browser's locale writes them. Money comes in US cents, times in milliseconds. */

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD" });
const littleMoney = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "USD",
  maximumSignificantDigits: 2,
});
const wholeDollars = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "USD",
  maximumFractionDigits: 0,
});
const shortDollars = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "USD",
  notation: "compact",
  minimumFractionDigits: 0,
  maximumFractionDigits: 2,
});
const rating = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 2 });
const unit = (unit: string, digits: number, unitDisplay: "narrow" | "short" = "narrow") =>
  new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay, maximumFractionDigits: digits });
const inUnits = {
  ms: unit("millisecond", 0),
  s: unit("second", 1),
  min: unit("minute", 1),
  h: unit("hour", 1),
};

export const NONE = "–";

type Known = number | null | undefined;

const orNone =
  (write: (value: number) => string) =>
  (value: Known): string =>
    value === null || value === undefined ? NONE : write(value);

/** 1,234,567 */
export const count = orNone(whole.format);

/** 1.2M: where there is little room. What is short anyway stays whole. */
export const compact = orNone((value) => (Math.abs(value) < 10_000 ? whole : short).format(value));

/** 999,999, 1.2M: in tiles and columns of one width, where the whole of it is told besides. */
export const brief = orNone((value) => (Math.abs(value) < 1_000_000 ? whole : short).format(value));

/** requests, and of one of them: request */
export const plural = (many: number, one: string): string => (many === 1 ? one : `${one}s`);

/** 1,000 requests */
export const counted = (many: number, one: string): string => `${count(many)} ${plural(many, one)}`;

/** 98.5%; a few are not written as none, nor nearly all as all. */
export const percent = orNone((share) =>
  percents.format(share > 0 && share < 1 ? Math.min(Math.max(share, 0.001), 0.999) : share),
);

/** 4.2 */
export const stars = orNone(rating.format);

/** $1.20; what costs little does not look free. */
export const money = orNone((cents) => {
  const size = Math.abs(cents);
  // From 9.95 cents on two digits are whole cents, and $0.10 is not written $0.1.
  return (size > 0 && size < 9.95 ? littleMoney : dollars).format(cents / 100);
});

/** $99,999.99, $1.23M: as `brief` is to `count`. */
export const briefMoney = orNone((cents) =>
  Math.abs(cents) < 10_000_000 ? money(cents) : shortDollars.format(cents / 100),
);

/** $999.99, $1.25K: on an axis. */
export const compactMoney = orNone((cents) =>
  Math.abs(cents) < 100_000 ? money(cents) : shortDollars.format(cents / 100),
);

/** Whether the cost of some requests is not nothing but unknown: some have no price, and no other cost anything. */
export const isUnknown = (cents: Known, unpriced: Known): boolean => cents === 0 && (unpriced ?? 0) > 0;

/** The cost of some requests, if it is known. */
export const costOf = (cents: Known, unpriced: Known, write = money): string =>
  isUnknown(cents, unpriced) ? NONE : write(cents);

/** 12 without a price */
export const withoutPrice = (unpriced: Known): string | undefined =>
  unpriced ? `${count(unpriced)} without a price` : undefined;

/** $29: where amounts are round. */
export const roundMoney = orNone((cents) => (cents % 100 === 0 ? wholeDollars : dollars).format(cents / 100));

/** €29: what a plan costs, in its own currency. */
export const price = (cents: number, currency: string): string =>
  new Intl.NumberFormat(undefined, {
    style: "currency",
    currency,
    minimumFractionDigits: cents % 100 === 0 ? 0 : 2,
  }).format(cents / 100);

/** 850 ms, 12.4 s, 2.1 min */
export const duration = orNone((ms) => {
  if (ms < 1_000) return inUnits.ms.format(ms);
  if (ms < 60_000) return inUnits.s.format(ms / 1_000);
  return ms < 3_600_000 ? inUnits.min.format(ms / 60_000) : inUnits.h.format(ms / 3_600_000);
});

const sizes = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"].map((each) => unit(each, 1, "short"));

/** 12.5 MB */
export const bytes = orNone((value) => {
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), sizes.length - 1);
  return (sizes[power] ?? whole).format(value / 1000 ** power);
});

const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const shortly = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "numeric",
  minute: "2-digit",
});
const onDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
const onWholeDay = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeZone: "UTC" });
const exactHours = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const inYear = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const onHour = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "long" });

/** An instant, to the second. */
export const exactTime = (at: string | Date): string => exactly.format(new Date(at));

/** An instant, to the minute, without its year. */
export const shortTime = (at: string | Date): string => shortly.format(new Date(at));

/** The date of an instant. */
export const dateOf = (at: string | Date): string => inYear.format(new Date(at));

/** The time of day of an instant. */
export const hour = (at: string | number): string => onHour.format(new Date(at));

/** A day as YYYY-MM-DD, shortly. */
export const day = (on: string): string => onDay.format(new Date(on));

/** A day as YYYY-MM-DD, with its weekday and year. */
export const wholeDay = (on: string): string => onWholeDay.format(new Date(on));

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);

/** 3 minutes ago, yesterday at 3:14 PM, Nov 20 at 3:14 PM, in 5 hours; what is long past or far ahead by its date. */
export function fromNow(at: string | Date, now: number): string {
  const then = new Date(at).getTime();
  const seconds = (then - now) / 1_000;
  const size = Math.abs(seconds);
  if (size < 45) return seconds > 5 ? relative.format(Math.round(seconds), "second") : "just now";
  if (size < 57 * 60) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 22 * 3_600) return relative.format(Math.round(seconds / 3_600), "hour");
  // Days as the calendar has them: a change of the clocks makes one longer or shorter than 24 hours.
  const days = Math.round((midnight(then) - midnight(now)) / DAY_MS);
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
  exactHours.formatRange(new Date(at), new Date(Date.parse(at) + HOUR_MS));
