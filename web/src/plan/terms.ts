import type { Offer, OwnPlan, Terms } from "@/api/types";
import { compact, count, counted, NONE, price, roundMoney } from "@/shared/format";

export type Cycle = Terms["billingCycle"];

const REQUEST_TYPES = new Map([
  ["chat", "Chat"],
  ["code_generation", "Code generation"],
  ["analysis", "Analysis"],
]);

const KEPT: Record<Terms["textPolicy"], string> = {
  all: "Kept as they are",
  redacted: "Kept redacted",
  none: "Not kept",
};

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
  {
    label: "Requests a minute",
    of: (terms) => orNoLimit(count)(terms.requestsPerMinute),
    isShown: (all) => all.some((terms) => terms.requestsPerMinute !== null),
  },
  {
    label: "Requests at once",
    of: (terms) => orNoLimit(count)(terms.concurrentRequests),
    isShown: (all) => all.some((terms) => terms.concurrentRequests !== null),
  },
  { label: "Prompts and responses", of: ({ textPolicy }) => KEPT[textPolicy] },
  { label: "Kept for", of: keptFor },
];

/** For how long texts are kept, in few words. */
function keptFor({ textPolicy, retainTextDays: days }: Terms): string {
  if (textPolicy === "none") return NONE;
  if (days === null) return "As long as requests";
  return counted(days, "day");
}

/** What is kept of texts, and for how long, as a sentence. */
export function textsOf(terms: Terms): string {
  if (terms.textPolicy === "none") return "Of prompts and responses nothing is kept.";
  const kept =
    terms.textPolicy === "all"
      ? "Prompts and responses are kept as they are"
      : "Prompts and responses are kept without keys, e-mail addresses and card numbers";
  const days = terms.retainTextDays;
  return `${kept}, ${days === null ? "as long as the requests" : `for ${keptFor(terms)}`}.`;
}

/** What a feature of a plan means to people. */
export function featureName(feature: string): string {
  if (feature === "*") return "Everything";
  if (feature.startsWith("model:")) return feature.slice("model:".length);
  return REQUEST_TYPES.get(feature) ?? feature.replaceAll("_", " ");
}

/** $29 a month */
export function priceOf(terms: Terms): string {
  const { pricePerMonth, pricePerYear, billingCycle, currency } = terms;
  if (billingCycle === "yearly" && pricePerYear === null)
    return `${price(pricePerMonth, currency)} a month, billed yearly`;
  return priceByCycle(terms, billingCycle);
}

/** $290 a year: what is paid at a time. */
export function priceByCycle({ pricePerMonth, pricePerYear, currency }: Terms, cycle: Cycle): string {
  if (cycle === "monthly") return `${price(pricePerMonth, currency)} a month`;
  return `${price(pricePerYear ?? 12 * pricePerMonth, currency)} a year`;
}

/** What a plan costs by the year where it can be paid by the month too. */
export const yearlyPriceOf = (terms: Terms): string | undefined =>
  terms.pricePerYear !== null && terms.billingCycle === "monthly" ? priceByCycle(terms, "yearly") : undefined;

/** How one comes to a plan; the own one may be paid in the other cycle. */
export type Way = "take" | "buy" | "monthly" | "yearly";

/**
 * One takes by oneself what lies below one's own and what is there for taking, and buys what is sold, one's own too if it
 * ends. Who has a subscription changes that; what was given for a time is followed by what is for taking.
 */
export function wayTo(plan: Offer, { plan: own, subscription }: OwnPlan): Way | undefined {
  if (subscription === "running") return undefined;
  const isGiven = own.expiresAt !== null && own.nextPlan === null;
  const isLess = plan.rank < own.rank && (!isGiven || plan.name === "free");
  const isSold = plan.checkoutCycles.length > 0;
  if (plan.name !== own.name) return isLess || plan.selfService ? "take" : isSold ? "buy" : undefined;
  if (own.isTrial && plan.selfService && isGiven) return "take";
  if (own.nextPlan === null && !own.isTrial && plan.pricePerYear !== null) {
    if (own.billingCycle === "yearly" && (!isGiven || plan.selfService)) return "monthly";
    if (own.billingCycle === "monthly" && plan.selfService) return "yearly";
  }
  return isSold && own.expiresAt !== null ? "buy" : undefined;
}
