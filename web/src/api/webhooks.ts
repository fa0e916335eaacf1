import {
  infiniteQueryOptions,
  queryOptions,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useAct } from "./act";
import { call, query } from "./call";
import { foundBefore } from "./meanwhile";
import type { DeliveriesPage, NewWebhook, Webhook, WebhookChange, WebhookMade, WebhookTested } from "./types";

const PATH = "/api/admin/webhooks";
const KEY = ["admin", "webhooks"];
const PAGE = 50;
const AGAIN_MS = 5_000;

export const webhooksQuery = queryOptions({
  queryKey: KEY,
  queryFn: async ({ signal }) => (await call<{ items: Webhook[] }>(PATH, { signal })).items,
  refetchInterval: AGAIN_MS,
});

/** Where events are sent, and how each does. */
export const useWebhooks = () => useQuery(webhooksQuery);

export function useWebhook(id: string) {
  return useQuery({
    queryKey: [...KEY, id],
    queryFn: async ({ signal }) => (await call<{ webhook: Webhook }>(at(id), { signal })).webhook,
    refetchInterval: AGAIN_MS,
  });
}

/** What was sent to one and will be, newest first; `state` narrows it. */
export function useDeliveries(id: string, state: string) {
  return useInfiniteQuery({
    ...infiniteQueryOptions({
      queryKey: [...KEY, id, "deliveries", state],
      queryFn: ({ pageParam, signal }) =>
        call<DeliveriesPage>(`${at(id)}/deliveries${query({ state, limit: PAGE, cursor: pageParam })}`, {
          signal,
        }),
      initialPageParam: "",
      getNextPageParam: (page) => page.nextCursor,
      refetchInterval: AGAIN_MS,
    }),
    placeholderData: (before) => foundBefore(before),
  });
}

/** Add one, or change it; the answer to a new one has its secret. */
export function useAddWebhook() {
  return useChange((told: NewWebhook) => call<WebhookMade>(PATH, { method: "POST", body: told }));
}

export function useChangeWebhook(id: string) {
  return useChange((told: WebhookChange) => call(at(id), { method: "PATCH", body: told }));
}

/** Remove one. The list alone is asked again: of the one that is gone there is nothing to hear. */
export function useRemoveWebhook(id: string) {
  const client = useQueryClient();
  return useAct({
    mutationFn: () => call(at(id), { method: "DELETE" }),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY, exact: true }),
  });
}

/** Give it another secret; for a day the old one signs along. */
export function useRotateWebhook(id: string) {
  return useChange(() => call<WebhookMade>(`${at(id)}/rotate`, { method: "POST", body: {} }));
}

/** The secret, which nothing here keeps. */
export function useRevealWebhook(id: string) {
  return useAct({ mutationFn: async () => (await call<{ secret: string }>(`${at(id)}/secret`)).secret });
}

/** Send a message now, and hear what came back. */
export function useTestWebhook(id: string) {
  return useChange(() => call<WebhookTested>(`${at(id)}/test`, { method: "POST", body: {} }));
}

export function useReplay(id: string) {
  return useChange(
    (delivery: string) => call(`${at(id)}/deliveries/${delivery}/replay`, { method: "POST", body: {} }),
    true,
  );
}

/** Have all that failed since an instant tried again. */
export function useReplayFailed(id: string) {
  return useChange((since: string) =>
    call<{ replayed: number }>(`${at(id)}/replay`, { method: "POST", body: { since } }),
  );
}

const at = (id: string) => `${PATH}/${id}`;

function useChange<Told, Answer>(change: (told: Told) => Promise<Answer>, isOfMany = false) {
  const client = useQueryClient();
  return useAct({
    mutationFn: change,
    isOfMany,
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
}
