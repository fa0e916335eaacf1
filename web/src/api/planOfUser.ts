import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { segment } from "@/shared/segment";
import { useAct } from "./act";
import { call, query } from "./call";
import { keysOfUser, planAt } from "./plans";
import type { Grant, NewGrant, NewOverride, Override, OwnPlan, PlanHistoryPage } from "./types";

const PAGE = 10;
// Other people's numbers have no stream: they are asked for again while somebody looks.
const AGAIN_MS = 5_000;

const userAt = (userId: string) => `/api/admin/users/${segment(userId)}`;
const keyOf = (userId: string, what: string) => ["admin", "user", userId, what];

/** A user's plan and what of it is used, as they see it. */
export function usePlanOf(userId: string) {
  return useQuery({
    queryKey: keyOf(userId, "plan"),
    queryFn: ({ signal }) => call<OwnPlan>(planAt(userId), { signal }),
    refetchInterval: AGAIN_MS,
  });
}

/** The plans that a user had, the newest first. */
export function usePlanHistory(userId: string) {
  return useInfiniteQuery({
    queryKey: keyOf(userId, "history"),
    queryFn: ({ pageParam, signal }) =>
      call<PlanHistoryPage>(`${planAt(userId)}/history${query({ limit: PAGE, cursor: pageParam })}`, {
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
}

/** A user's grants, the newest first. */
export function useGrants(userId: string) {
  return useQuery({
    queryKey: keyOf(userId, "grants"),
    queryFn: async ({ signal }) =>
      (await call<{ items: Grant[] }>(`${userAt(userId)}/grants`, { signal })).items,
    refetchInterval: AGAIN_MS,
  });
}

export const useAddGrant = (userId: string) =>
  useChange(userId, (grant: NewGrant) => call(`${userAt(userId)}/grants`, { method: "POST", body: grant }));

export const useEndGrant = (userId: string, id: string) =>
  useChange(userId, () => call(`${userAt(userId)}/grants/${id}`, { method: "DELETE" }));

/** A user's overrides of limits, the newest first. */
export function useOverrides(userId: string) {
  return useQuery({
    queryKey: keyOf(userId, "overrides"),
    queryFn: async ({ signal }) =>
      (await call<{ items: Override[] }>(`${userAt(userId)}/overrides`, { signal })).items,
  });
}

export const useAddOverride = (userId: string) =>
  useChange(userId, (override: NewOverride) =>
    call(`${userAt(userId)}/overrides`, { method: "POST", body: override }),
  );

export const useEndOverride = (userId: string, id: string) =>
  useChange(userId, () => call(`${userAt(userId)}/overrides/${id}`, { method: "DELETE" }));

/** All that is shown of the user follows before it is over. */
function useChange<Told>(userId: string, change: (told: Told) => Promise<unknown>) {
  const client = useQueryClient();
  return useAct({
    mutationFn: change,
    onSuccess: () =>
      Promise.all(keysOfUser(userId).map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}
