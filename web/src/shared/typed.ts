/** What people type, as the API has it. */

const PLAIN = /^-?\d+(\.\d+)?$/;
const IN_THOUSANDS = /^-?\d{1,3}([\s,_]\d{3})+(\.\d+)?$/;

/** A number, also as 1,000 or 1 000; null where nothing is typed, NaN where it is none: 12,50 could mean either. */
export function numberIn(typed: string): number | null {
  const text = typed.trim();
  if (text === "") return null;
  const digits = IN_THOUSANDS.test(text) ? text.replace(/[\s,_]/g, "") : text;
  return PLAIN.test(digits) ? Number(digits) : Number.NaN;
}

/** Money typed in whole units, in cents: the point moves in the digits, so that 0.29 is 29. */
export function centsIn(typed: string): number | null {
  const amount = numberIn(typed);
  return amount === null || Number.isNaN(amount) ? amount : Number(`${amount}e2`);
}

/** Cents as one would type them in whole units. */
export const unitsOf = (cents: number): string => String(Number(`${cents}e-2`));

/** What is said of a field, or of a part of it. */
export const faultAt = (
  problem: { faults: { field: string; message: string }[] } | null,
  name: string,
): string | undefined =>
  problem?.faults.find(({ field }) => field === name || field.startsWith(`${name}.`))?.message;
