import { infiniteQueryOptions, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { exactAnswer } from "@/shared/exact";
import { segment } from "@/shared/segment";
import { useAct } from "./act";
import { call, fileAt, query } from "./call";
import { checkDays } from "./days";
import { foundBefore } from "./meanwhile";
import type { ChatRequest, ListedRequest, Match, RequestsFound, WholeRequest } from "./types";

/** What a list of requests is narrowed to: the names are those of the API, and of the page's address. */
export interface RequestFilters {
  q?: string;
  status?: string;
  model?: string;
  category?: string;
  requestType?: string;
  complexity?: string;
  rating?: string;
  sessionId?: string;
  from?: string;
  to?: string;
  minCost?: string;
  maxCost?: string;
  minDuration?: string;
  maxDuration?: string;
  /** By what they are sorted, and which end comes first, where that is not the newest. */
  sort?: string;
  order?: string;
}

const PAGE = 50;

/** Whose requests: one's own, or those of the user with an id. */
const listOf = (userId: string | undefined) =>
  userId === undefined ? "/api/chat/requests" : `/api/admin/users/${segment(userId)}/requests`;

export function requestsQuery(filters: RequestFilters, userId?: string) {
  return infiniteQueryOptions({
    queryKey: ["requests", userId, filters],
    queryFn: async ({ pageParam, signal }) => {
      checkDays(filters);
      const path = listOf(userId) + query({ ...filters, limit: PAGE, cursor: pageParam });
      const { matches = {}, ...page } = await call<RequestsFound>(path, { signal });
      return { ...page, items: page.items.map((item) => withMatch(item, matches[item.id])) };
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
}

const withMatch = (request: ChatRequest, match: Match | undefined): ListedRequest =>
  match === undefined ? request : { ...request, match };

/** Requests in their order, page by page. */
export const useRequests = (filters: RequestFilters, userId?: string) =>
  useInfiniteQuery({ ...requestsQuery(filters, userId), placeholderData: (before) => foundBefore(before) });

/** Where all that match can be downloaded; a file goes by age. */
export function downloadAddress(
  { sort, order, ...filters }: RequestFilters,
  format: "csv" | "jsonl",
  userId?: string,
): string {
  const byAge = sort === undefined ? { order } : {};
  return listOf(userId) + query({ ...filters, ...byAge, format });
}

type Whole = { request: Omit<WholeRequest, "metadataText"> };

/** One request with all that is kept of it. */
export function useWholeRequest(id: string, userId?: string) {
  return useQuery({
    queryKey: ["requests", "whole", userId, id],
    queryFn: async ({ signal }) => {
      const path = `${listOf(userId)}/${segment(id)}`;
      const answer = await fileAt(path, signal);
      const { metadata } = (await exactAnswer<Whole>(answer)).request;
      const request = (JSON.parse(await answer.text()) as Whole).request;
      return { ...request, metadataText: metadata == null ? null : JSON.stringify(metadata, null, 2) };
    },
  });
}

/** Say what one thinks of a request; null takes it back. */
export function useRate(id: string) {
  const client = useQueryClient();
  return useAct({
    mutationFn: (userRating: number | null) =>
      call("/api/chat/track", { method: "PUT", body: { requestId: id, userRating } }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["requests"] }),
  });
}
