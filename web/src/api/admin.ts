import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { segment } from "@/shared/segment";
import { useAct } from "./act";
import { call, leaveBy, query } from "./call";
import { foundBefore } from "./meanwhile";
import { keysOfUser } from "./plans";
import type {
  Dashboard,
  DirectoryEntry,
  DirectoryPage,
  NewPrice,
  Overview,
  OwnPrice,
  Repriced,
  SeenModel,
  System,
  TopUsers,
  UserChange,
} from "./types";

const USERS = "/api/admin/users";
const MODELS = "/api/admin/models";
const PAGE = 50;
const OVERVIEW_MS = 2_000;
const SYSTEM_MS = 5_000;
// Other people's numbers have no stream: they are asked for again while somebody looks.
const SUMS_MS = 10_000;

const userAt = (id: string) => `${USERS}/${segment(id)}`;
const modelAt = (model: string) => `${MODELS}/${segment(model)}`;

export const overviewQuery = queryOptions({
  queryKey: ["admin", "overview"],
  queryFn: ({ signal }) => call<Overview>("/api/admin/overview", { signal }),
  refetchInterval: OVERVIEW_MS,
});

/** All users at a glance; asked again every two seconds while somebody looks. */
export const useOverview = () => useQuery(overviewQuery);

/** Who used most of something in a period. */
export function useTopUsers(asked: { from: string; to: string; by: string; limit: number }) {
  return useQuery({
    queryKey: ["admin", "top", asked],
    queryFn: ({ signal }) => call<TopUsers>(`/api/admin/analytics/users${query(asked)}`, { signal }),
    refetchInterval: SUMS_MS,
    placeholderData: keepPreviousData,
  });
}

export interface UsersAsked {
  q?: string;
  plan?: string;
  isActive?: string;
  sort?: string;
  order?: string;
}

export function usersQuery(asked: UsersAsked) {
  return infiniteQueryOptions({
    queryKey: ["admin", "users", asked],
    queryFn: ({ pageParam, signal }) =>
      call<DirectoryPage>(USERS + query({ ...asked, limit: PAGE, cursor: pageParam }), { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
    refetchInterval: SUMS_MS,
  });
}

/** Users, page by page. */
export const useUsers = (asked: UsersAsked) =>
  useInfiniteQuery({ ...usersQuery(asked), placeholderData: (before) => foundBefore(before) });

const userQuery = (id: string) =>
  queryOptions({
    queryKey: ["admin", "user", id],
    queryFn: async ({ signal }) => (await call<{ user: DirectoryEntry }>(userAt(id), { signal })).user,
  });

/** One user. */
export const useUser = (id: string) => useQuery({ ...userQuery(id), refetchInterval: SUMS_MS });

/** One user as of now, before one changes what others may have changed. */
export function useUserNow(id: string) {
  const client = useQueryClient();
  return useAct({ mutationFn: () => client.fetchQuery({ ...userQuery(id), staleTime: 0 }) });
}

/** A user's dashboard as they see it. */
export function useUsersDashboard(id: string) {
  return useQuery({
    queryKey: ["admin", "user", id, "dashboard"],
    queryFn: ({ signal }) => call<Dashboard>(`${userAt(id)}/dashboard`, { signal }),
    refetchInterval: SYSTEM_MS,
  });
}

/** Change a user's plan, note, or whether they may use anything. */
export function useChangeUser(id: string) {
  const client = useQueryClient();
  return useAct({
    mutationFn: async (change: UserChange) =>
      (await call<{ user: DirectoryEntry }>(userAt(id), { method: "PUT", body: change })).user,
    onSuccess: (user) => {
      client.setQueryData(["admin", "user", id], user);
      for (const queryKey of keysOfUser(id)) void client.invalidateQueries({ queryKey });
    },
  });
}

/** Be a user for half an hour: this browser is then theirs, and begins at their overview. */
export function useActAs(id: string) {
  return useAct({ mutationFn: () => leaveBy(`${userAt(id)}/act`, { method: "POST", body: {} }, "/") });
}

/** Delete a user with all that is theirs. */
export function useDeleteUser(id: string) {
  const client = useQueryClient();
  return useAct({
    mutationFn: () => call<{ isComplete: boolean }>(userAt(id), { method: "DELETE" }),
    onSuccess: () => {
      client.removeQueries({ queryKey: ["admin", "user", id] });
      void client.invalidateQueries({ queryKey: ["admin", "users"] });
    },
  });
}

export const modelsQuery = queryOptions({
  queryKey: ["admin", "models"],
  queryFn: async ({ signal }) => (await call<{ items: SeenModel[] }>(MODELS, { signal })).items,
  refetchInterval: SUMS_MS,
});

/** Every model that was seen or has a price of one's own. */
export const useModels = () => useQuery(modelsQuery);

/** A model's own prices over time. */
export function useOwnPrices(model: string) {
  return useQuery({
    queryKey: ["admin", "models", model],
    queryFn: async ({ signal }) =>
      (await call<{ items: OwnPrice[] }>(`${modelAt(model)}/prices`, { signal })).items,
  });
}

export function usePutPrice(model: string) {
  return useModelChange((price: NewPrice) =>
    call(`${modelAt(model)}/prices`, { method: "PUT", body: price }),
  );
}

export function useDeletePrice(model: string) {
  return useModelChange(
    (effectiveFrom: string) =>
      call(`${modelAt(model)}/prices/${segment(effectiveFrom)}`, { method: "DELETE" }),
    true,
  );
}

/** Price a model's requests anew, or say what that would change. */
export function useReprice(model: string) {
  return useModelChange((asked: { apply: boolean }) =>
    call<Repriced>(`${modelAt(model)}/reprice`, { method: "POST", body: asked }),
  );
}

/** How the service stands. */
export function useSystem() {
  return useQuery({
    queryKey: ["admin", "system"],
    queryFn: ({ signal }) => call<System>("/api/admin/system", { signal }),
    refetchInterval: SYSTEM_MS,
  });
}

function useModelChange<Told, Answer>(change: (told: Told) => Promise<Answer>, isOfMany = false) {
  const client = useQueryClient();
  return useAct({
    mutationFn: change,
    isOfMany,
    onSuccess: () => client.invalidateQueries({ queryKey: ["admin", "models"] }),
  });
}
