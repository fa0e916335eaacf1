import type { Dimension } from "@/api/types";
import { compact, compactMoney, costOf, count, money } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import type { Part } from "./others";

export type Measure = "requests" | "tokensUsed" | "cost";

/** What charts and lists of usage can be about. */
export const MEASURES: Record<
  Measure,
  {
    label: string;
    write: (value: number | null) => string;
    axis: (value: number) => string;
    /** What of it there was. */
    told: (measures: Part) => string;
  }
> = {
  requests: { label: "Requests", write: count, axis: compact, told: ({ requests }) => count(requests) },
  tokensUsed: { label: "Tokens", write: count, axis: compact, told: ({ tokensUsed }) => count(tokensUsed) },
  cost: {
    label: "Cost",
    write: money,
    axis: compactMoney,
    told: ({ cost, unpriced }) => costOf(cost, unpriced),
  },
};

/** One measure of a period; what is not known counts as nothing. */
export const amountOf = (measures: Part, measure: Measure): number => measures[measure] ?? 0;

export const NO_CATEGORY = "No category";

// The key that stands for none: each kind has its own, and in others it is a name as any.
const NAMELESS: Partial<Record<Dimension, readonly [key: string, name: string]>> = {
  model: ["unknown", "No model named"],
  category: ["uncategorized", NO_CATEGORY],
};

/** What a group of a kind is called. */
export function nameOf(key: string, dimension: Dimension): string {
  if (dimension === "plan") return planTitle(key);
  const [none, name = key] = NAMELESS[dimension] ?? [];
  return key === none ? name : key;
}
