/** What people type, as the API has it. */

const PLAIN = /^-?\d+(\.\d+)?$/;
const IN_THOUSANDS = /^-?\d{1,3}([\s,_]\d{3})+(\.\d+)?$/;
// 1.000 is a thousand to some and one to others; 0.125 is nothing but a fraction.
const OF_TWO_MEANINGS = /^(-?[1-9]\d{0,2})\.(\d{3})$/;
const WITH_A_COMMA = /^(-?\d+),(\d+)$/;
const DOLLARS = /^\$\s*/;

/** The digits of a number, also of 1,000 or 1 000; null where nothing is typed, undefined where it is no number. */
function digitsIn(typed: string): string | null | undefined {
  const text = typed.trim();
  if (text === "") return null;
  const digits = IN_THOUSANDS.test(text) ? text.replace(/[\s,_]/g, "") : text;
  return PLAIN.test(digits) && !OF_TWO_MEANINGS.test(text) ? digits : undefined;
}

/** A number; null where nothing is typed, NaN where it is none: 12,50 and 1.000 could mean either. */
export function numberIn(typed: string): number | null {
  const digits = digitsIn(typed);
  return digits === null ? null : Number(digits);
}

/** Dollars with all of their digits, as 1 000 or $2.50; null where nothing is typed, undefined where it is none. */
export const dollarsIn = (typed: string): string | null | undefined =>
  digitsIn(typed.trim().replace(DOLLARS, ""));

/** Money of any currency typed in whole units, in hundredths: the point moves in the digits, so that 0.29 is 29. */
export function hundredthsIn(typed: string): number | null {
  const digits = digitsIn(typed);
  return digits === null ? null : Number(`${digits}e2`);
}

/** Dollars in cents. */
export const centsIn = (typed: string): number | null => hundredthsIn(typed.trim().replace(DOLLARS, ""));

/** How to write what is read as no number; a whole one is not proposed as a fraction. */
export function howToWrite(typed: string, isWhole = false): string {
  const text = typed.trim().replace(DOLLARS, "");
  const [, whole, thousandth = ""] = OF_TWO_MEANINGS.exec(text) ?? [];
  if (isWhole && whole !== undefined) return `write it without a point, as ${whole}${thousandth}`;
  if (whole !== undefined) return `can be read in two ways: write ${whole}${thousandth} or ${fraction(text)}`;
  const [, units, part = ""] = WITH_A_COMMA.exec(text) ?? [];
  if (isWhole && units !== undefined) return "write it as a whole number, without a comma";
  if (units !== undefined) return `can be read in two ways: write ${units}${part} or ${units}.${part}`;
  return "write it as a number";
}

/** 1.250 as nobody takes it for thousands: 1.25. */
const fraction = (text: string): string => String(Number(text));

/** Cents as one would type them in whole units. */
export const unitsOf = (cents: number): string => String(Number(`${cents}e-2`));

/** What is said of a field, or of a part of it. */
export const faultAt = (
  problem: { faults: { field: string; message: string }[] } | null,
  name: string,
): string | undefined =>
  problem?.faults.find(({ field }) => field === name || field.startsWith(`${name}.`))?.message;
