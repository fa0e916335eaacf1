import type { RequestFilters } from "@/api/requests";
import { zone } from "@/shared/times";
import { type Ordered, ordered } from "./orders";
import { daysIn, isRange, type Range } from "./ranges";

export const FILTERS = [
  "q",
  "status",
  "model",
  "category",
  "requestType",
  "complexity",
  "rating",
  "sessionId",
  "from",
  "to",
  "minCost",
  "maxCost",
  "minDuration",
  "maxDuration",
] as const satisfies readonly (keyof RequestFilters)[];

/** The filters, a range that stands for days, the order, and which request is open beside the list. */
export type Narrowed = Omit<RequestFilters, keyof Ordered> & Ordered & { range?: Range; open?: string };

/** What of an address this page understands. Days that are named hold, and not a range beside them. */
export function narrowed(search: Record<string, unknown>): Narrowed {
  const told = [...FILTERS, "open"].flatMap((name) => {
    const value = search[name];
    return typeof value === "string" && value !== "" ? [[name, value] as const] : [];
  });
  const named: Narrowed = { ...Object.fromEntries(told), ...ordered(search) };
  const { range } = search;
  return isRange(range) && !named.from && !named.to ? { ...named, range } : named;
}

/** The filters alone, as they are asked for: a range as the days that it is now. */
export function filtersOf({ open: _, range, ...filters }: Narrowed): RequestFilters {
  return range === undefined ? filters : { ...filters, ...daysIn(range, zone()) };
}
