import { infiniteQueryOptions, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useAct } from "./act";
import { call, query } from "./call";
import type { InvitationsFound, Invited, NewInvitation } from "./types";

const PATH = "/api/admin/invitations";
const KEY = ["admin", "invitations"];
const PAGE = 50;
const AGAIN_MS = 10_000;

export const invitationsQuery = infiniteQueryOptions({
  queryKey: KEY,
  queryFn: ({ pageParam, signal }) =>
    call<InvitationsFound>(PATH + query({ limit: PAGE, cursor: pageParam }), { signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.nextCursor,
  refetchInterval: AGAIN_MS,
});

/** Who is invited, newest first, and what came of it. */
export const useInvitations = () => useInfiniteQuery(invitationsQuery);

/** Invite an address, anew if it was invited before. */
export function useInvite() {
  return useChange((invitation: NewInvitation) => call<Invited>(PATH, { method: "POST", body: invitation }));
}

export function useRevokeInvitation(id: string) {
  return useChange(() => call(`${PATH}/${id}`, { method: "DELETE" }));
}

function useChange<Told, Answer>(change: (told: Told) => Promise<Answer>) {
  const client = useQueryClient();
  return useAct({
    mutationFn: change,
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
}
