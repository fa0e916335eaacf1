/** Percentages as people type them: 50, 80 % and 100. */

const MOST = 10;

const parts = (text: string): string[] => text.split(/[\s,;%]+/).filter(Boolean);

/** The percentages of a text, in order and each once. */
export const percentsOf = (text: string): number[] =>
  [...new Set(parts(text).map(Number))].sort((one, other) => one - other);

/** What is wrong with a text of percentages, if anything is. */
export function faultOfPercents(text: string): string | undefined {
  const amiss = parts(text).find((part) => !/^\d{1,3}$/.test(part) || Number(part) < 1 || Number(part) > 100);
  if (amiss !== undefined) return `“${amiss}” is no whole number from 1 to 100.`;
  return percentsOf(text).length > MOST ? `These are more than ${MOST}.` : undefined;
}
