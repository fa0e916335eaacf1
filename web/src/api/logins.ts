import { infiniteQueryOptions, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useAct } from "./act";
import { call, query } from "./call";
import type { LoginSession, LoginSessionsPage } from "./types";

const PATH = "/api/account/sessions";
const KEY = ["logins"];
const PAGE = 50;
const AGAIN_MS = 10_000;

export const loginsQuery = infiniteQueryOptions({
  queryKey: KEY,
  queryFn: ({ pageParam, signal }) =>
    call<LoginSessionsPage>(PATH + query({ limit: PAGE, cursor: pageParam }), { signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.nextCursor,
});

// A minute less than what is asked for: until one has come there it has passed.
const RECENT_MS = 14 * 60_000;

/** Whether one signed in there so lately that nothing asks for it again. */
export const isRecent = ({ createdAt }: LoginSession): boolean =>
  Date.now() - Date.parse(createdAt) < RECENT_MS;

/** Where one is signed in. */
export const useLogins = () => useInfiniteQuery({ ...loginsQuery, refetchInterval: AGAIN_MS });

export function useEndLogin() {
  return useEnding((id: string) => call(`${PATH}/${id}`, { method: "DELETE" }));
}

export function useEndOtherLogins() {
  return useEnding(() => call(`${PATH}?but=current`, { method: "DELETE" }));
}

function useEnding<Told>(end: (told: Told) => Promise<unknown>) {
  const client = useQueryClient();
  return useAct({
    mutationFn: end,
    isOfMany: true,
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
}
