import type { NewOverride } from "@/api/types";
import { count, roundMoney } from "@/shared/format";
import { centsIn, numberIn } from "@/shared/typed";

export type LimitName = keyof NewOverride["limits"];

/** What can be limited, in the order in which one asks. Null is no limit. */
export const LIMITS: { name: LimitName; label: string }[] = [
  { name: "dailyRequests", label: "Requests a day" },
  { name: "monthlyRequests", label: "Requests a month" },
  { name: "monthlyTokens", label: "Tokens a month" },
  { name: "monthlyCost", label: "Money a month" },
  { name: "maxTokensPerRequest", label: "Tokens a request" },
  { name: "requestsPerMinute", label: "Requests a minute" },
  { name: "concurrentRequests", label: "Requests at once" },
];

/** Money is typed in dollars, and told in cents. */
export const isMoney = (name: LimitName): boolean => name === "monthlyCost";

/** A limit as it is typed: null where nothing is, NaN where it is no number. */
export const limitIn = (name: LimitName, typed: string): number | null =>
  isMoney(name) ? centsIn(typed) : numberIn(typed);

/** A limit in words. */
export function limitWords(name: LimitName, limit: number | null): string {
  if (limit === null) return "no limit";
  return isMoney(name) ? roundMoney(limit) : count(limit);
}
