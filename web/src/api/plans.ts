import { queryOptions, useQuery } from "@tanstack/react-query";
import { call } from "./call";
import type { OwnPlan, Terms } from "./types";

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
