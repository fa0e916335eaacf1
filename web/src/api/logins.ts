import { infiniteQueryOptions, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { call, query } from "./call";
import type { LoginSessionsPage } from "./types";

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
  return useMutation({ mutationFn: end, onSuccess: () => client.invalidateQueries({ queryKey: KEY }) });
}
