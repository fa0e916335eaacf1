import { infiniteQueryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { segment } from "@/shared/segment";
import { call, query } from "./call";
import type { RequestsPage, SessionsPage } from "./types";

const PAGE = 50;

/** By when conversations began: the last one first, or the first one. */
export type Order = "desc" | "asc";

export function sessionsQuery(order: Order) {
  return infiniteQueryOptions({
    queryKey: ["sessions", "list", order],
    queryFn: ({ pageParam, signal }) =>
      call<SessionsPage>(`/api/chat/sessions${query({ order, limit: PAGE, cursor: pageParam })}`, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
}

/** Conversations, page by page. */
export const useSessions = (order: Order) => useInfiniteQuery(sessionsQuery(order));

export function sessionQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ["sessions", "one", id],
    queryFn: ({ pageParam, signal }) => {
      const path = `/api/chat/sessions/${segment(id)}`;
      return call<RequestsPage>(path + query({ limit: PAGE, cursor: pageParam }), { signal });
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
}

/** The requests of one conversation, in order. */
export const useSession = (id: string) => useInfiniteQuery(sessionQuery(id));
