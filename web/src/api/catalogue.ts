import { useQuery, useQueryClient } from "@tanstack/react-query";
import { segment } from "@/shared/segment";
import { useAct } from "./act";
import { call, type Problem, query } from "./call";
import type { Migrated, NewPlan, PlanPut, TermsWithUsers } from "./types";

const PLANS = "/api/admin/plans";
// Other people's numbers have no stream: they are asked for again while somebody looks.
const SUMS_MS = 10_000;

const planAt = (name: string) => `${PLANS}/${segment(name)}`;

/** Every plan, how many are on it, and how many of them on older terms. */
export function usePlansWithUsers() {
  return useQuery({
    queryKey: ["admin", "plans"],
    queryFn: async ({ signal }) => (await call<{ plans: TermsWithUsers[] }>(PLANS, { signal })).plans,
    refetchInterval: SUMS_MS,
  });
}

interface Put {
  name: string;
  plan: NewPlan;
  /** As what the plan was previewed: if it is another one by now, nothing is changed. */
  revision?: string;
}

/** Whether a change was refused because somebody else has made one since one looked. */
export const isOvertaken = ({ status, slug }: Problem): boolean => status === 409 && slug === "contradiction";

/** What putting a plan into the catalogue would change. */
export function usePutPreview() {
  return useAct({
    mutationFn: ({ name, plan }: Put) =>
      call<PlanPut>(`${planAt(name)}?preview=true`, { method: "PUT", body: plan }),
  });
}

/** Put it there: added, or in place of the plan of that name. */
export function usePutPlan() {
  const client = useQueryClient();
  return useAct({
    mutationFn: ({ name, plan, revision }: Put) =>
      call<PlanPut>(planAt(name) + query({ revision }), { method: "PUT", body: plan }),
    onSuccess: () =>
      Promise.all([["admin"], ["plans"], ["plan"]].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}

/** Who would be moved to the terms that a plan has now; asked once for each dialog. */
export function useMigration(name: string, to: string, isOver: boolean) {
  return useQuery({
    queryKey: ["migration", name, to],
    queryFn: ({ signal }) =>
      call<Migrated>(`${planAt(name)}/migrate`, { method: "POST", body: { to }, signal }),
    enabled: !isOver,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
  });
}

/** Move them, call by call until nobody is left; `onMoved` hears how many are moved so far. */
export function useMigrate(name: string, to: string, onMoved: (users: number) => void) {
  const client = useQueryClient();
  return useAct({
    mutationFn: async () => {
      let moved = 0;
      for (;;) {
        const body = { to, apply: true };
        const some = await call<Migrated>(`${planAt(name)}/migrate`, { method: "POST", body });
        moved += some.moved;
        onMoved(moved);
        if (some.isComplete) return moved;
      }
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["admin"] }),
  });
}
