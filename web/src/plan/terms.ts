import type { Terms } from "@/api/types";
import { compact, count, roundMoney } from "@/shared/format";

const REQUEST_TYPES = new Map([
  ["chat", "Chat"],
  ["code_generation", "Code generation"],
  ["analysis", "Analysis"],
]);

const orNoLimit = (write: (value: number) => string) => (value: number | null) =>
  value === null ? "No limit" : write(value);

/** What plans differ in, in the order in which one asks. */
export const TERMS: { label: string; of: (terms: Terms) => string; isShown?: (all: Terms[]) => boolean }[] = [
  { label: "Requests a day", of: (terms) => orNoLimit(count)(terms.dailyRequests) },
  { label: "Requests a month", of: (terms) => orNoLimit(count)(terms.monthlyRequests) },
  { label: "Tokens a request", of: (terms) => orNoLimit(count)(terms.maxTokensPerRequest) },
  {
    label: "Tokens a month",
    of: (terms) => orNoLimit(compact)(terms.monthlyTokens),
    isShown: (all) => all.some((terms) => terms.monthlyTokens !== null),
  },
  {
    label: "Money a month",
    of: (terms) => orNoLimit(roundMoney)(terms.monthlyCost),
    isShown: (all) => all.some((terms) => terms.monthlyCost !== null),
  },
];

/** What a feature of a plan means to people. */
export function featureName(feature: string): string {
  if (feature === "*") return "Everything";
  if (feature.startsWith("model:")) return feature.slice("model:".length);
  return REQUEST_TYPES.get(feature) ?? feature.replaceAll("_", " ");
}

/** $29 a month */
export function priceOf({ pricePerMonth, billingCycle }: Terms): string {
  return `${roundMoney(pricePerMonth)} a month${billingCycle === "yearly" ? ", billed yearly" : ""}`;
}
