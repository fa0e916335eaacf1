import { infiniteQueryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { call, query } from "./call";
import type { RequestsPage, SessionsPage } from "./types";

const PAGE = 50;

export const sessionsQuery = infiniteQueryOptions({
  queryKey: ["sessions"],
  queryFn: ({ pageParam, signal }) =>
    call<SessionsPage>(`/api/chat/sessions${query({ limit: PAGE, cursor: pageParam })}`, { signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.nextCursor,
});

/** Conversations, the one begun last first. */
export const useSessions = () => useInfiniteQuery(sessionsQuery);

export function sessionQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ["sessions", id],
    queryFn: ({ pageParam, signal }) => {
      const path = `/api/chat/sessions/${encodeURIComponent(id)}`;
      return call<RequestsPage>(path + query({ limit: PAGE, cursor: pageParam }), { signal });
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
}

/** The requests of one conversation, in order. */
export const useSession = (id: string) => useInfiniteQuery(sessionQuery(id));
