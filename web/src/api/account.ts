import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { segment } from "@/shared/segment";
import { useAct } from "./act";
import { call, fileAt, leaveBy } from "./call";
import type { Account, AccountFound, MailAsked, WaysToSignIn } from "./types";

/** The one who is signed in, and who it is in truth. */
export const accountOf = ({ account, actingAs }: AccountFound): Account => ({ ...account, actingAs });

export const accountQuery = queryOptions({
  queryKey: ["account"],
  queryFn: async ({ signal }) => accountOf(await call<AccountFound>("/api/account", { signal })),
  staleTime: 60_000,
});

/** Who is signed in here. */
export const useAccount = () => useQuery(accountQuery);

/** Whether an operator acts as who is signed in: what signs in, and what takes all along, is not theirs to do. */
export const useIsActing = (): boolean => useAccount().data?.actingAs != null;

/** Change one's name or picture; null takes it away. */
export function useChangeAccount() {
  const client = useQueryClient();
  return useAct({
    mutationFn: async (change: { name?: string | null; image?: string | null }) =>
      accountOf(await call<AccountFound>("/api/account", { method: "PATCH", body: change })),
    onSuccess: (account) => {
      client.setQueryData(accountQuery.queryKey, account);
      void client.invalidateQueries({ queryKey: ["settings"] });
      void client.invalidateQueries({ queryKey: ["dashboard"] });
    },
  });
}

/** Delete one's account with all that is in it, and go; `confirm` is one's own address. */
export function useDeleteAccount() {
  return useAct({
    mutationFn: (confirm: string) => leaveBy("/api/account", { method: "DELETE", body: { confirm } }, "/"),
  });
}

/** Everything about oneself, as an archive. */
export const everything = (): Promise<Blob> => fileAt("/api/account/export");

/** Be oneself again, where one looks at the user with an id. */
export function useStopActing(id: string) {
  return useAct({
    mutationFn: () =>
      leaveBy("/api/account/stop-acting", { method: "POST", body: {} }, `/admin/users/${segment(id)}`),
  });
}

/** What there is to sign in by; it changes only with the service's settings. */
export const waysQuery = queryOptions({
  queryKey: ["ways"],
  queryFn: ({ signal }) => call<WaysToSignIn>("/api/sign-in", { signal }),
  staleTime: Number.POSITIVE_INFINITY,
});

export const useWays = () => useQuery(waysQuery);

/** Sign in by GitHub no more. */
export function useDisconnectGitHub() {
  const client = useQueryClient();
  return useAct({
    mutationFn: () => call("/api/account/github", { method: "DELETE" }),
    onSuccess: () => client.invalidateQueries({ queryKey: accountQuery.queryKey }),
  });
}

/** Ask for a mail with a code; says until when it holds. */
export async function askForCode(email: string): Promise<string> {
  const { expiresAt } = await call<MailAsked>("/api/sign-in/email", { method: "POST", body: { email } });
  return expiresAt;
}

/** Sign in anew with the code of a mail. */
export const signInByCode = (email: string, code: string): Promise<unknown> =>
  call("/api/sign-in/code", { method: "POST", body: { email, code } });

/** End the sign-in, and go to where one signs in. */
export function useSignOut() {
  return useAct({ mutationFn: () => leaveBy("/api/account/sign-out", { method: "POST" }, "/") });
}
