import { useNavigate, useSearch } from "@tanstack/react-router";
import type { Measures } from "@/api/types";
import { compact, costOf, count, duration } from "@/shared/format";
import { type UsageShown, usageShown } from "@/usage/shown";

interface Order {
  label: string;
  of: (totals: Measures) => number | null;
  write: (totals: Measures) => string;
  /** Where nobody has any of it. */
  none: string;
}

/** By what users can be ordered. */
export const ORDERS = {
  requests: {
    label: "Requests",
    of: (totals) => totals.requests,
    write: (totals) => count(totals.requests),
    none: "Nobody asked in this time",
  },
  failed: {
    label: "Failed",
    of: (totals) => totals.failed,
    write: (totals) => count(totals.failed),
    none: "Nothing failed in this time",
  },
  tokensUsed: {
    label: "Tokens",
    of: (totals) => totals.tokensUsed,
    write: (totals) => compact(totals.tokensUsed),
    none: "No tokens in this time",
  },
  cost: {
    label: "Cost",
    of: (totals) => totals.cost,
    write: (totals) => costOf(totals.cost, totals.unpriced),
    none: "No cost in this time",
  },
  unpriced: {
    label: "Unpriced",
    of: (totals) => totals.unpriced,
    write: (totals) => count(totals.unpriced),
    none: "All that was used has a price",
  },
  averageDuration: {
    label: "Mean time",
    of: (totals) => totals.averageDuration,
    write: (totals) => duration(totals.averageDuration),
    none: "No times in this time",
  },
} as const satisfies Record<string, Order>;

export type By = keyof typeof ORDERS;

interface AllUsageShown extends UsageShown {
  by?: By;
}

const USUAL: By = "requests";

/** What of an address the page of all usage understands. */
export function allUsageShown(search: Record<string, unknown>): AllUsageShown {
  const { by } = search;
  return { ...usageShown(search), ...(isBy(by) ? { by } : {}) };
}

const isBy = (name: unknown): name is By => typeof name === "string" && Object.hasOwn(ORDERS, name);

/** By what the top users are ordered, and how that is changed: a step that Back undoes. */
export function useBy(): [By, (by: By) => void] {
  const { by = USUAL } = allUsageShown(useSearch({ strict: false }));
  const navigate = useNavigate();
  const order = (chosen: By) =>
    void navigate({
      to: ".",
      search: ((before: AllUsageShown) => ({
        ...before,
        by: chosen === USUAL ? undefined : chosen,
      })) as never,
      resetScroll: false,
    });
  return [by, order];
}
