import type { Bucket, Measures } from "@/api/types";
import { compact, compactMoney, costOf, count, money } from "@/shared/format";

export type Measure = "requests" | "tokensUsed" | "cost";

/** What charts and lists of usage can be about. */
export const MEASURES: Record<
  Measure,
  {
    label: string;
    write: (value: number) => string;
    axis: (value: number) => string;
    /** What of it there was. */
    told: (measures: Measures | Bucket) => string;
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
export const amountOf = (measures: Measures | Bucket, measure: Measure): number => measures[measure] ?? 0;

// A map, for a key can be called "constructor".
const UNKNOWN = new Map([
  ["unknown", "No model named"],
  ["uncategorized", "No category"],
]);

/** What a group is called. */
export const nameOf = (key: string): string => UNKNOWN.get(key) ?? key;
