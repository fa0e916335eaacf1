import { dayIn, moved, startOfDay } from "@/shared/period";

/** How a filter is typed, beside how the API and the address have it. */
export interface Unit {
  shown: (asked: string) => string;
  asked: (shown: string) => string;
}

export const PLAIN: Unit = { shown: (asked) => asked, asked: (shown) => shown };

/** Dollars, which are asked for in cents. */
export const DOLLARS: Unit = { shown: (asked) => shifted(asked, -2), asked: (shown) => shifted(shown, 2) };

/** Seconds, which are asked for in whole milliseconds. */
export const SECONDS: Unit = {
  shown: (asked) => shifted(asked, -3),
  asked: (shown) => shifted(shown, 3).replace(/\..*$/, ""),
};

/** Days of a time zone: the first one, and the last one, whose end is asked for. */
export const firstDay = (timeZone: string): Unit => ({
  shown: (asked) => dayIn(timeZone, asked),
  asked: (shown) => shown && startOfDay(shown, timeZone),
});
export const lastDay = (timeZone: string): Unit => ({
  shown: (asked) => dayIn(timeZone, justBefore(asked)),
  asked: (shown) => shown && startOfDay(moved(shown, 1), timeZone),
});

/** What is asked for ends before the end: at a day's beginning, the last one is the day before. */
function justBefore(end: string): string {
  const at = Date.parse(end);
  return Number.isNaN(at) ? "" : new Date(at - 1).toISOString();
}

const DECIMAL = /^(\d*)(?:\.(\d*))?$/;

/** Move the point of a decimal number as it is written, so that nothing is rounded; what is none stays. */
function shifted(text: string, by: number): string {
  const found = DECIMAL.exec(text.trim().replace(",", "."));
  if (found === null || text.trim() === "") return text;
  const [, whole = "", part = ""] = found;
  const digits = (whole + part).padStart(Math.max(1 - by, 1) + part.length, "0");
  const point = digits.length - part.length + by;
  const padded = digits.padEnd(point, "0");
  const fraction = padded.slice(point).replace(/0+$/, "");
  return `${padded.slice(0, point).replace(/^0+(?=\d)/, "")}${fraction && `.${fraction}`}`;
}
