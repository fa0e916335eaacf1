import {
  infiniteQueryOptions,
  queryOptions,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { accountQuery } from "./account";
import { useAct } from "./act";
import { call, query } from "./call";
import { foundBefore } from "./meanwhile";
import type { Alert, AlertOfAll, AlertsFound } from "./types";

/** What is looked for: the name is that of the API, and of the page's address. */
export interface AlertsAsked {
  kind?: Alert["kind"];
}

/** Told to oneself, or to everybody. */
export type Whose = "own" | "all";

/** An alert; whom it is about is told to operators only. */
export type AnyAlert = Alert & Partial<AlertOfAll>;

interface Page {
  items: AnyAlert[];
  nextCursor: string | null;
}

const OWN = "/api/user/alerts";
const PATHS = { own: OWN, all: "/api/admin/alerts" };
const KEY = ["alerts"];
const PAGE = 50;
// As other lists of operators: nothing tells this page of what others do.
const ASKED_AGAIN_MS = 10_000;

export function alertsQuery(whose: Whose, asked: AlertsAsked) {
  return infiniteQueryOptions({
    queryKey: whose === "own" ? [...KEY, "own", asked] : ["admin", "alerts", asked],
    queryFn: ({ pageParam, signal }) =>
      call<Page>(PATHS[whose] + query({ ...asked, limit: PAGE, cursor: pageParam }), { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
    ...(whose === "all" && { refetchInterval: ASKED_AGAIN_MS }),
  });
}

/** What was told, newest first, page by page. */
export const useAlerts = (whose: Whose, asked: AlertsAsked) =>
  useInfiniteQuery({ ...alertsQuery(whose, asked), placeholderData: (before) => foundBefore(before) });

const unseenQuery = queryOptions({
  queryKey: [...KEY, "unseen"],
  queryFn: async ({ signal }) => (await call<AlertsFound>(OWN + query({ limit: 1 }), { signal })).unseen,
});

/** How many one has not seen; none while nobody can say. */
export function useUnseenAlerts(): number {
  const isKnown = useQuery({ ...accountQuery, enabled: false }).data !== undefined;
  return useQuery({ ...unseenQuery, enabled: isKnown }).data ?? 0;
}

/** Note that all up to one were seen. */
export function useSeeAlerts() {
  const client = useQueryClient();
  return useAct({
    mutationFn: (last: string) => call(`${OWN}/seen`, { method: "POST", body: { last } }),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
}
