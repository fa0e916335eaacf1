import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { accountQuery } from "./account";
import { call } from "./call";
import type { OwnPlan, PlanChanged, PlanWish, Terms } from "./types";

export const plansQuery = queryOptions({
  queryKey: ["plans"],
  queryFn: async ({ signal }) => {
    const { plans } = await call<{ plans: Terms[] }>("/api/plans", { signal });
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

/**
 * What a change would do: the very answer that it would give. Asked anew for each dialog, since it says from when, and
 * not again under it: once the change is made, there is nothing of it left to preview.
 */
export const usePlanPreview = (wish: PlanWish) =>
  useQuery({
    queryKey: ["plan-preview", wish],
    queryFn: ({ signal }) => call<PlanChanged>(`/api/user/plan/preview?${asQuery(wish)}`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
  });

/** Change the plan, as previewed. */
export function useChangePlan(wish: PlanWish) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call<PlanChanged>("/api/user/plan", { method: "PUT", body: wish }),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ownPlanQuery.queryKey }),
        client.invalidateQueries({ queryKey: accountQuery.queryKey }),
      ]),
  });
}

function asQuery({ plan, billingCycle, trial }: PlanWish): URLSearchParams {
  return new URLSearchParams({
    plan,
    ...(billingCycle != null && { billingCycle }),
    ...(trial === true && { trial: "true" }),
  });
}
