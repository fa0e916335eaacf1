import type { LimitName } from "@/admin/limits";
import { LIMITS, limitIn } from "@/admin/limits";
import type { NewPlan, Terms, TermsWithUsers } from "@/api/types";
import { faultOfPercents, percentsOf } from "@/shared/percents";
import { centsIn, howToWrite, hundredthsIn, numberIn, unitsOf } from "@/shared/typed";

type Numbers =
  | LimitName
  | "rank"
  | "pricePerMonth"
  | "pricePerYear"
  | "trialDays"
  | "rolloverPercent"
  | "retainTextDays";
type Choices = "period" | "refund" | "onUnavailable" | "billingCycle" | "textPolicy";
type Texts =
  | "name"
  | "currency"
  | "features"
  | "entitlements"
  | "warnAt"
  | "stripePriceMonthly"
  | "stripePriceYearly";

/** A plan as it is typed. */
export type Draft = Record<Numbers | Texts, string> & Pick<Terms, Choices | "selfService">;

/** A new plan, as a file that leaves all out would have it. */
export const emptyDraft = (rank: number): Draft => ({
  name: "",
  rank: String(rank),
  ...(Object.fromEntries(LIMITS.map(({ name }) => [name, ""])) as Record<LimitName, string>),
  features: "*",
  entitlements: "",
  period: "calendar",
  rolloverPercent: "0",
  refund: "trusted",
  onUnavailable: "closed",
  pricePerMonth: "0",
  pricePerYear: "",
  currency: "usd",
  billingCycle: "monthly",
  trialDays: "0",
  selfService: false,
  textPolicy: "all",
  retainTextDays: "",
  warnAt: "50, 80, 100",
  stripePriceMonthly: "",
  stripePriceYearly: "",
});

const typed = (value: number | null): string => (value === null ? "" : String(value));
const typedMoney = (cents: number | null): string => (cents === null ? "" : unitsOf(cents));

/** A plan of the catalogue, to be changed. */
export function draftOf(plan: TermsWithUsers): Draft {
  const { period, refund, onUnavailable, billingCycle, textPolicy, selfService, name, currency } = plan;
  return {
    ...{ period, refund, onUnavailable, billingCycle, textPolicy, selfService, name, currency },
    rank: String(plan.rank),
    dailyRequests: typed(plan.dailyRequests),
    monthlyRequests: typed(plan.monthlyRequests),
    monthlyTokens: typed(plan.monthlyTokens),
    monthlyCost: typedMoney(plan.monthlyCost),
    maxTokensPerRequest: typed(plan.maxTokensPerRequest),
    requestsPerMinute: typed(plan.requestsPerMinute),
    concurrentRequests: typed(plan.concurrentRequests),
    features: plan.features.join("\n"),
    entitlements: entitlementLines(plan.entitlements).join("\n"),
    rolloverPercent: String(plan.rolloverPercent),
    pricePerMonth: unitsOf(plan.pricePerMonth),
    pricePerYear: typedMoney(plan.pricePerYear),
    trialDays: String(plan.trialDays),
    retainTextDays: typed(plan.retainTextDays),
    warnAt: plan.warnAt.join(", "),
    stripePriceMonthly: plan.stripePriceMonthly ?? "",
    stripePriceYearly: plan.stripePriceYearly ?? "",
  };
}

/** Entitlements as a file of plans writes them. */
export const entitlementLines = (entitlements: object): string[] =>
  Object.entries(entitlements).map(([name, value]) => `${name} = ${written(value)}`);

const written = (value: unknown): string =>
  Array.isArray(value) ? `[${value.map((each) => JSON.stringify(each)).join(", ")}]` : JSON.stringify(value);

interface Read {
  plan: NewPlan;
  /** What cannot even be told, by field. */
  faults: Partial<Record<keyof Draft, string>>;
}

/** Read what is typed. What is left empty is no limit, or as usual. */
export function planIn(draft: Draft): Read {
  const { period, refund, onUnavailable, billingCycle, textPolicy, selfService } = draft;
  const faults: Read["faults"] = {};
  const read = (name: Numbers, value: number | null, isWhole = false) => {
    if (Number.isNaN(value)) faults[name] = howToWrite(draft[name], isWhole);
    return value;
  };
  const number = (name: Numbers) => read(name, numberIn(draft[name]), true);
  const inUnits = draft.currency.trim().toLowerCase() === "usd" ? centsIn : hundredthsIn;
  const price = (name: "pricePerMonth" | "pricePerYear") => read(name, inUnits(draft[name]));
  const entitlements = entitlementsIn(draft.entitlements);
  if (typeof entitlements === "string") faults.entitlements = entitlements;
  const amiss = faultOfPercents(draft.warnAt);
  if (amiss !== undefined) faults.warnAt = amiss;
  if (draft.rank.trim() === "") faults.rank = "say where it stands in the order in which plans grow";
  const plan = {
    ...{ period, refund, onUnavailable, billingCycle, textPolicy, selfService },
    rank: number("rank") ?? 0,
    ...(Object.fromEntries(
      LIMITS.map(({ name }) => [name, read(name, limitIn(name, draft[name]))]),
    ) as Record<LimitName, number | null>),
    features: linesOf(draft.features),
    ...(typeof entitlements === "string" ? {} : { entitlements }),
    rolloverPercent: number("rolloverPercent") ?? 0,
    pricePerMonth: price("pricePerMonth") ?? 0,
    pricePerYear: price("pricePerYear"),
    currency: draft.currency.trim(),
    trialDays: number("trialDays") ?? 0,
    retainTextDays: number("retainTextDays"),
    warnAt: percentsOf(draft.warnAt),
    stripePriceMonthly: draft.stripePriceMonthly.trim() || null,
    stripePriceYearly: draft.stripePriceYearly.trim() || null,
  };
  return { plan, faults };
}

const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** Entitlements, or what is wrong with how they are written. */
function entitlementsIn(text: string): NonNullable<NewPlan["entitlements"]> | string {
  const found = new Map<string, NonNullable<NewPlan["entitlements"]>[string]>();
  for (const line of linesOf(text)) {
    const [name = "", ...rest] = line.split("=");
    const key = name.trim();
    if (rest.length === 0) return `write “${line}” as name = value`;
    if (found.has(key)) return `“${key}” is there twice`;
    try {
      found.set(key, JSON.parse(rest.join("=")));
    } catch {
      return `“${key}” is to be true, false, a number, or a list such as ["eu", "us"]`;
    }
  }
  return Object.fromEntries(found);
}
