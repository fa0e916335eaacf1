import type { Limits, OwnPlan, Terms } from "@/api/types";
import { compact, count, money, plural } from "@/shared/format";

/** A limit that lets nothing through now. */
export interface Reached {
  /** What is used up: today's requests. */
  what: string;
  used: string;
  resetsAt: string;
  /** How much of it a plan allows, in words. */
  allowedBy: (terms: Terms) => string;
  hasNoneIn: (terms: Terms) => boolean;
}

/** What limits count, in what the limits of a user and the terms of a plan call it. */
interface Counted extends Pick<Reached, "what"> {
  reason: string;
  used: (limits: Limits) => number;
  /** What is in force; null is no limit. */
  limit: (limits: Limits) => number | null;
  of: (terms: Terms) => number | null;
  write: (amount: number) => string;
  one: string;
  per: "day" | "month";
}

const COUNTED: Counted[] = [
  {
    reason: "daily",
    what: "today's requests",
    used: ({ dailyUsed }) => dailyUsed,
    limit: ({ dailyLimit }) => dailyLimit ?? null,
    of: ({ dailyRequests }) => dailyRequests,
    write: count,
    one: "request",
    per: "day",
  },
  {
    reason: "monthly",
    what: "this month's requests",
    used: ({ monthlyUsed }) => monthlyUsed,
    limit: ({ monthlyLimit }) => monthlyLimit ?? null,
    of: ({ monthlyRequests }) => monthlyRequests,
    write: count,
    one: "request",
    per: "month",
  },
  {
    reason: "tokens",
    what: "this month's tokens",
    used: ({ monthlyTokensUsed }) => monthlyTokensUsed ?? 0,
    limit: ({ monthlyTokensLimit }) => monthlyTokensLimit ?? null,
    of: ({ monthlyTokens }) => monthlyTokens,
    write: compact,
    one: "token",
    per: "month",
  },
  {
    reason: "cost",
    what: "this month's money",
    used: ({ monthlyCostUsed }) => monthlyCostUsed ?? 0,
    limit: ({ monthlyCostLimit }) => monthlyCostLimit ?? null,
    of: ({ monthlyCost }) => monthlyCost,
    write: money,
    one: "",
    per: "month",
  },
];

/** Whether requests are refused for longer than until one that is under way ends, which it may at any moment. */
export const isRefused = ({ canMakeRequest, reason, concurrentLimit }: Limits): boolean =>
  !canMakeRequest && (reason !== "concurrent" || concurrentLimit === 0);

/** Every limit that is reached; the one that the service names is, whatever else. */
export const reachedIn = (limits: Limits): Reached[] =>
  COUNTED.filter((each) => each.reason === limits.reason || isUsedUp(each, limits)).map((each) =>
    told(each, limits),
  );

function isUsedUp({ used, limit }: Counted, limits: Limits): boolean {
  const most = limit(limits);
  return most !== null && used(limits) >= most;
}

function told(counted: Counted, limits: Limits): Reached {
  const { what, used, limit, of, write, one, per } = counted;
  const most = limit(limits) ?? 0;
  const units = one === "" ? "is spent" : `${plural(most, one)} ${most === 1 ? "is" : "are"} used`;
  return {
    what,
    used: `${write(used(limits))} of ${write(most)} ${units} ${per === "day" ? "today" : "this month"}`,
    resetsAt: per === "day" ? limits.resetsAt.daily : limits.resetsAt.monthly,
    allowedBy: (terms) => {
      const allowed = of(terms);
      if (allowed === null) return `any number of ${one === "" ? "dollars" : plural(0, one)} a ${per}`;
      return `${write(allowed)}${one === "token" ? " tokens" : ""} a ${per}`;
    },
    hasNoneIn: (terms) => of(terms) === null,
  };
}

/**
 * The next plan that would let requests through, as the service finds it for `upgradeTo`: one above the own one, with more
 * of everything than is used. An exception stays with its user whatever their plan, and it is not told here whether it is
 * in place of a limit or beside it: where there is one of a limit that is reached, nobody can say.
 */
export function upgradeFrom(plans: Terms[], limits: Limits, own: OwnPlan["plan"]): Terms | undefined {
  if (own.name !== limits.planName || isExcepted(limits, own)) return undefined;
  const admits = (terms: Terms) =>
    COUNTED.every((each) => isAbove(each.of(terms), each.used(limits))) &&
    isAbove(terms.concurrentRequests, limits.concurrentUsed ?? 0);
  return plans.find((terms) => terms.rank > own.rank && admits(terms));
}

/** Whether a limit that is reached is not the plan's. */
export const isExcepted = (limits: Limits, own: OwnPlan["plan"]): boolean =>
  own.name === limits.planName &&
  COUNTED.some((each) => isUsedUp(each, limits) && each.limit(limits) !== each.of(own));

/** Whether any limit is not the plan's. */
export const hasException = ({ plan, limits, maxTokensPerRequest }: OwnPlan): boolean =>
  plan.name === limits.planName &&
  (COUNTED.some((each) => each.limit(limits) !== each.of(plan)) ||
    (limits.concurrentLimit ?? null) !== plan.concurrentRequests ||
    (limits.perMinuteLimit ?? null) !== plan.requestsPerMinute ||
    maxTokensPerRequest !== plan.maxTokensPerRequest);

const isAbove = (limit: number | null, used: number): boolean => limit === null || limit > used;
