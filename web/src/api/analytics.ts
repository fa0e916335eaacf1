import { queryOptions, useQuery } from "@tanstack/react-query";
import { call, query } from "./call";
import { usedBefore } from "./meanwhile";
import type { Analytics, Dimension, Granularity } from "./types";

/** Whose numbers: one's own; for operators also those of all, or of one user. */
export type Whose = "own" | "all" | { user: string };

export interface Asked {
  from: string;
  to: string;
  granularity: Granularity;
  groupBy?: Dimension;
  plan?: string;
}

const OTHERS_MS = 10_000;

export function analyticsQuery(whose: Whose, asked: Asked) {
  const path = whose === "own" ? "/api/user/analytics" : "/api/admin/analytics";
  const about = { ...asked, user: typeof whose === "string" ? undefined : whose.user };
  return queryOptions({
    queryKey: ["analytics", whose, asked],
    queryFn: ({ signal }) => call<Analytics>(path + query(about), { signal }),
    // One's own follow the stream; other people's have none.
    ...(whose !== "own" && { refetchInterval: OTHERS_MS }),
  });
}

/** Sums of a period, beside those of the period before. */
export const useAnalytics = (whose: Whose, asked: Asked, isAsked = true) =>
  useQuery({
    ...analyticsQuery(whose, asked),
    enabled: isAsked,
    placeholderData: (before) => usedBefore(before),
  });
