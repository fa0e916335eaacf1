import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { segment } from "@/shared/segment";
import { accountQuery } from "./account";
import { useAct } from "./act";
import { call, query } from "./call";
import type { Offer, OwnPlan, PlanChanged, PlanWish, Purchase } from "./types";

export const plansQuery = queryOptions({
  queryKey: ["plans"],
  queryFn: async ({ signal }) => {
    const { plans } = await call<{ plans: Offer[] }>("/api/plans", { signal });
    return plans.toSorted((a, b) => a.rank - b.rank);
  },
  staleTime: 60_000,
});

export const ownPlanQuery = queryOptions({
  queryKey: ["plan"],
  queryFn: ({ signal }) => call<OwnPlan>("/api/user/plan", { signal }),
});

/** Every plan of the catalogue, the smallest first. */
export const usePlans = () => useQuery(plansQuery);

/** The terms that one has, and what of them is used. */
export const useOwnPlan = () => useQuery(ownPlanQuery);

/** Where a plan is read and changed: one's own, or as an operator that of a user. */
export const planAt = (userId?: string): string =>
  userId === undefined ? "/api/user/plan" : `/api/admin/users/${segment(userId)}/plan`;

/**
 * What a change would do: the very answer that it would give. Asked anew for each dialog, since it says from when, and
 * not again under it, nor once the change is made (`isOver`): there is nothing of it left to preview.
 */
export const usePlanPreview = (wish: PlanWish, isOver: boolean, userId?: string) =>
  useQuery({
    queryKey: ["plan-preview", userId ?? "own", wish],
    queryFn: ({ signal }) => call<PlanChanged>(`${planAt(userId)}/preview${query({ ...wish })}`, { signal }),
    enabled: !isOver,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
  });

/** Change the plan, as previewed. */
export function useChangePlan(wish: PlanWish, userId?: string) {
  const client = useQueryClient();
  const concerned =
    userId === undefined ? [ownPlanQuery.queryKey, accountQuery.queryKey] : keysOfUser(userId);
  return useAct({
    mutationFn: () => call<PlanChanged>(planAt(userId), { method: "PUT", body: wish }),
    onSuccess: () => Promise.all(concerned.map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}

/** Where a plan is paid for; it is had when the service has heard of it. */
export const useCheckout = () =>
  useAct({ mutationFn: (purchase: Purchase) => addressFrom("/api/user/plan/checkout", purchase) });

/** Where what one has bought is changed and cancelled, and where its invoices are. */
export const usePortal = () => useAct({ mutationFn: () => addressFrom("/api/user/plan/portal", {}) });

async function addressFrom(path: string, body: unknown): Promise<string> {
  return (await call<{ url: string }>(path, { method: "POST", body })).url;
}

/** What operators have asked for about a user, and what it is counted in. */
export const keysOfUser = (userId: string): string[][] => [
  ["admin", "user", userId],
  ["admin", "users"],
  ["admin", "plans"],
];
