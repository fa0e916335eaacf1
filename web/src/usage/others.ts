import type { Group, Measures } from "@/api/types";

/** What of a sum is told of some of its parts, or of what is left of it. */
export type Part = Pick<Measures, "requests" | "tokensUsed" | "cost" | "unpriced">;

const NANOS_PER_CENT = 10_000_000;
// Beyond 15 digits numbers are rounded, so what is less than that of the whole is nothing.
const ROUNDED = 1e-12;

const less = (whole: number | null | undefined, parts: (number | null | undefined)[]): number => {
  const rest = parts.reduce<number>((left, part) => left - (part ?? 0), whole ?? 0);
  return rest > ROUNDED * (whole ?? 0) ? rest : 0;
};

/** What is left of the whole beside some groups. */
export function restOf(totals: Measures, groups: readonly Group[]): Part {
  const rest = (name: "requests" | "tokensUsed" | "costNanos" | "unpriced") =>
    less(
      totals[name],
      groups.map((group) => group.totals[name]),
    );
  return {
    requests: rest("requests"),
    tokensUsed: rest("tokensUsed"),
    cost: rest("costNanos") / NANOS_PER_CENT,
    unpriced: rest("unpriced"),
  };
}
