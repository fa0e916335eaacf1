import { infiniteQueryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { call, query } from "./call";
import { checkDays } from "./days";
import { foundBefore } from "./meanwhile";
import type { Act, ActOfAll } from "./types";

/** What is looked for: the names are those of the API, and of the page's address. */
export interface ActivityAsked {
  action?: string;
  from?: string;
  to?: string;
  user?: string;
  actor?: string;
}

/** One's own account, or everybody's. */
export type Whose = "own" | "all";

/** An act; whom it was about is told to operators only. */
export type AnyAct = Act & Partial<ActOfAll>;

interface Page {
  items: AnyAct[];
  nextCursor: string | null;
}

const PATHS = { own: "/api/account/activity", all: "/api/admin/activity" };
const PAGE = 50;

export function activityQuery(whose: Whose, asked: ActivityAsked) {
  return infiniteQueryOptions({
    queryKey: ["activity", whose, asked],
    queryFn: ({ pageParam, signal }) => {
      checkDays(asked);
      return call<Page>(PATHS[whose] + query({ ...asked, limit: PAGE, cursor: pageParam }), { signal });
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
}

/** What was done, newest first, page by page. */
export const useActivity = (whose: Whose, asked: ActivityAsked) =>
  useInfiniteQuery({ ...activityQuery(whose, asked), placeholderData: (before) => foundBefore(before) });

/** Where all that matches is as a file. */
export const activityAddress = (whose: Whose, asked: ActivityAsked, format: "csv" | "jsonl"): string =>
  PATHS[whose] + query({ ...asked, format });
