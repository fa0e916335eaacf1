/** Numbers as English writes them, as the words around them are, and as they are typed. Money comes in US cents, times in milliseconds. */

import { NUMBERS } from "./language";

const whole = new Intl.NumberFormat(NUMBERS);
const short = new Intl.NumberFormat(NUMBERS, { notation: "compact", maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(NUMBERS, { style: "percent", maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat(NUMBERS, { style: "currency", currency: "USD" });
const littleMoney = new Intl.NumberFormat(NUMBERS, {
  style: "currency",
  currency: "USD",
  maximumSignificantDigits: 2,
});
const wholeDollars = new Intl.NumberFormat(NUMBERS, {
  style: "currency",
  currency: "USD",
  maximumFractionDigits: 0,
});
const shortDollars = new Intl.NumberFormat(NUMBERS, {
  style: "currency",
  currency: "USD",
  notation: "compact",
  minimumFractionDigits: 0,
  maximumFractionDigits: 2,
});
const rating = new Intl.NumberFormat(NUMBERS, { minimumFractionDigits: 1, maximumFractionDigits: 2 });
const unit = (unit: string, digits: number, unitDisplay: "narrow" | "short" = "narrow") =>
  new Intl.NumberFormat(NUMBERS, { style: "unit", unit, unitDisplay, maximumFractionDigits: digits });
const inUnits = {
  ms: unit("millisecond", 0),
  s: unit("second", 1),
  min: unit("minute", 1),
  h: unit("hour", 1),
  d: unit("day", 1),
};
const manyDays = unit("day", 0);

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
  new Intl.NumberFormat(NUMBERS, {
    style: "currency",
    currency,
    minimumFractionDigits: cents % 100 === 0 ? 0 : 2,
  }).format(cents / 100);

const HOUR_MS = 3_600_000;
// 36h is sooner understood than 1.5d.
const DAYS_FROM_MS = 48 * HOUR_MS;

/** What durations are written in, the longest first. */
export const UNITS_MS = [
  ["d", 24 * HOUR_MS],
  ["h", HOUR_MS],
  ["min", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const satisfies readonly (readonly [keyof typeof inUnits, number])[];

/** 0.5s: in a unit that others beside it are written in, too. */
export const durationIn = (unit: (typeof UNITS_MS)[number][0], ms: number): string =>
  inUnits[unit].format(ms / (UNITS_MS.find(([name]) => name === unit)?.[1] ?? 1));

/** 850ms, 12.4s, 2.1m, 36h, 11.6d */
export const duration = orNone((ms) => {
  if (ms < 1_000) return inUnits.ms.format(ms);
  if (ms < 60_000) return inUnits.s.format(ms / 1_000);
  if (ms < HOUR_MS) return inUnits.min.format(ms / 60_000);
  if (ms < DAYS_FROM_MS) return inUnits.h.format(ms / HOUR_MS);
  const days = ms / (24 * HOUR_MS);
  return (days < 100 ? inUnits.d : manyDays).format(days);
});

const sizes = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"].map((each) => unit(each, 1, "short"));

/** 12.5 MB */
export const bytes = orNone((value) => {
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), sizes.length - 1);
  return (sizes[power] ?? whole).format(value / 1000 ** power);
});
