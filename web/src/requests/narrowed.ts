import type { RequestFilters } from "@/api/requests";

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

/** The filters, and which request is open beside the list. */
export type Narrowed = RequestFilters & { open?: string };

/** What of an address this page understands. */
export function narrowed(search: Record<string, unknown>): Narrowed {
  const told = [...FILTERS, "open"].flatMap((name) => {
    const value = search[name];
    return typeof value === "string" && value !== "" ? [[name, value] as const] : [];
  });
  return Object.fromEntries(told);
}

/** The filters alone. */
export function filtersOf({ open: _, ...filters }: Narrowed): RequestFilters {
  return filters;
}
