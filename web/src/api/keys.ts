import { infiniteQueryOptions, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useAct } from "./act";
import { call, query } from "./call";
import type { KeyMade, KeysPage, NewKey } from "./types";

/** Whose keys: one's own, or those of services, which operators make. */
export type Whose = "own" | "services";

const PAGE = 100;
const PATHS = { own: "/api/account/keys", services: "/api/admin/keys" };

export function keysQuery(whose: Whose) {
  return infiniteQueryOptions({
    queryKey: ["keys", whose],
    queryFn: ({ pageParam, signal }) =>
      call<KeysPage>(PATHS[whose] + query({ limit: PAGE, cursor: pageParam }), { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
}

/** Keys, also those that have ended, newest first. */
export const useKeys = (whose: Whose) => useInfiniteQuery(keysQuery(whose));

/** Make one; the answer alone has the key itself. */
export function useCreateKey(whose: Whose) {
  return useChange((key: NewKey) => call<KeyMade>(PATHS[whose], { method: "POST", body: key }));
}

/** Make another on the same terms; the old one works on for a while. */
export function useRotateKey(whose: Whose, id: string) {
  return useChange((overlapSeconds: number) =>
    call<KeyMade>(`${PATHS[whose]}/${id}/rotate`, { method: "POST", body: { overlapSeconds } }),
  );
}

export function useRevokeKey(whose: Whose, id: string) {
  return useChange(() => call(`${PATHS[whose]}/${id}`, { method: "DELETE" }));
}

function useChange<Told, Answer>(change: (told: Told) => Promise<Answer>) {
  const client = useQueryClient();
  return useAct({
    mutationFn: change,
    onSuccess: () => client.invalidateQueries({ queryKey: ["keys"] }),
  });
}
