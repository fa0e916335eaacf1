import { useQuery } from "@tanstack/react-query";
import { call } from "./call";
import type { OwnPlan, Terms } from "./types";

/** Every plan of the catalogue, the smallest first. */
export function usePlans() {
  return useQuery({
    queryKey: ["plans"],
    queryFn: async ({ signal }) => {
      const { plans } = await call<{ plans: Terms[] }>("/api/plans", { signal });
      return plans.toSorted((a, b) => a.rank - b.rank);
    },
    staleTime: 60_000,
  });
}

/** The terms that one has, and what of them is used. */
export function useOwnPlan() {
  return useQuery({
    queryKey: ["plan"],
    queryFn: ({ signal }) => call<OwnPlan>("/api/user/plan", { signal }),
  });
}
