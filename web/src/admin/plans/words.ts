import { LIMITS, type LimitName, limitWords } from "@/admin/limits";
import type { FieldChange, Terms } from "@/api/types";
import { count, counted, price } from "@/shared/format";
import { entitlementLines } from "./draft";

type Choice = { value: string; label: string }[];

/** What can be chosen of a plan, in words. */
export const CHOICES = {
  billingCycle: [
    { value: "monthly", label: "By the month" },
    { value: "yearly", label: "By the year" },
  ],
  period: [
    { value: "calendar", label: "Of the calendar" },
    { value: "anniversary", label: "From the day taken" },
  ],
  refund: [
    { value: "trusted", label: "Give their unit back" },
    { value: "never", label: "Count as used" },
  ],
  onUnavailable: [
    { value: "closed", label: "Refuse" },
    { value: "open", label: "Let pass" },
  ],
  textPolicy: [
    { value: "all", label: "Kept as they are" },
    { value: "redacted", label: "Kept redacted" },
    { value: "none", label: "Not kept" },
  ],
} satisfies Record<string, Choice>;

const LABELS: Record<string, string> = {
  ...Object.fromEntries(LIMITS.map(({ name, label }) => [name, label])),
  rank: "Rank",
  features: "Features",
  entitlements: "Entitlements",
  period: "Months",
  rolloverPercent: "Rollover",
  refund: "Failed requests",
  onUnavailable: "While tollkeeper is away",
  warnAt: "Warned at",
  stripePriceMonthly: "Monthly price at Stripe",
  stripePriceYearly: "Yearly price at Stripe",
  pricePerMonth: "Price a month",
  pricePerYear: "Price a year",
  currency: "Currency",
  billingCycle: "Sold",
  trialDays: "Trial",
  selfService: "Taken by oneself",
  textPolicy: "Prompts and responses",
  retainTextDays: "Kept for",
};

/** What a field of a plan is called; one of a newer version as it comes. */
export const labelOf = (field: string): string => LABELS[field] ?? field;

const isLimit = (field: string): field is LimitName => LIMITS.some(({ name }) => name === field);

/** What is written of a field, with prices in a currency. */
export function valueWords(field: string, value: unknown, currency: string): string {
  if (isLimit(field)) return sentence(limitWords(field, value as number | null));
  if (field in CHOICES) return choiceWords(field as keyof typeof CHOICES, String(value));
  if (field === "warnAt" && Array.isArray(value)) return listed(value.map((each) => `${each}%`));
  if (Array.isArray(value)) return listed(value.map((each) => (each === "*" ? "Everything" : String(each))));
  if (typeof value === "object" && value !== null) return listed(entitlementLines(value));
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (value === null) return field === "retainTextDays" ? "As long as requests" : "Not sold so";
  if (typeof value !== "number") return String(value);
  if (field === "pricePerMonth" || field === "pricePerYear") return price(value, currency);
  if (field === "rolloverPercent") return value === 0 ? "None" : `${value}%`;
  if (field === "trialDays" && value === 0) return "None";
  if (field === "trialDays" || field === "retainTextDays") return counted(value, "day");
  return count(value);
}

/** What is chosen, in words. */
export const choiceWords = (field: keyof typeof CHOICES, value: string): string =>
  CHOICES[field].find((each) => each.value === value)?.label ?? value;

const listed = (all: string[]): string => (all.length === 0 ? "None" : all.join(", "));
const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

/** In which currency a plan is sold before and after some changes. */
export function currenciesOf(changes: FieldChange[], now: string): { before: string; after: string } {
  const change = changes.find(({ field }) => field === "currency");
  return { before: String(change?.old ?? now), after: String(change?.new ?? now) };
}

/** What operators see of plans besides what users do. */
export function moreTerms(all: Terms[]): { label: string; of: (terms: Terms) => string }[] {
  const of = (field: keyof Terms) => (terms: Terms) => valueWords(field, terms[field], terms.currency);
  const names = [...new Set(all.flatMap(({ entitlements }) => Object.keys(entitlements)))];
  return [
    ...(
      [
        "period",
        "rolloverPercent",
        "refund",
        "onUnavailable",
        "warnAt",
        "trialDays",
        "selfService",
        "rank",
      ] as const
    ).map((field) => ({ label: labelOf(field), of: of(field) })),
    { label: "Version of its terms", of: ({ version }) => count(version) },
    ...names.map((name) => ({ label: name, of: ({ entitlements }: Terms) => entitled(entitlements, name) })),
  ];
}

function entitled(entitlements: Terms["entitlements"], name: string): string {
  return Object.hasOwn(entitlements, name) ? valueWords("", entitlements[name], "usd") : "–";
}
