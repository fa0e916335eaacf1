import type { FILTERS } from "./narrowed";

type Filter = (typeof FILTERS)[number];

/** What the filters are called. */
export const LABELS: Record<Filter, string> = {
  q: "Search",
  status: "Status",
  model: "Model",
  category: "Category",
  requestType: "Type",
  complexity: "Complexity",
  rating: "Rating",
  sessionId: "Session",
  from: "Started, from",
  to: "Started, to",
  minCost: "Cost, from",
  maxCost: "Cost, up to",
  minDuration: "Time, from",
  maxDuration: "Time, up to",
};

/** Where the service speaks of other units than the fields do. */
export const WANTED: Partial<Record<Filter, string>> = {
  minCost: "must be a number of dollars, not below 0",
  maxCost: "must be a number of dollars, not below 0 and not below where it begins",
  minDuration: "must be a number of seconds, not below 0",
  maxDuration: "must be a number of seconds, not below 0 and not below where it begins",
};
