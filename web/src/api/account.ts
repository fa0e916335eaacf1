import { queryOptions, useQuery } from "@tanstack/react-query";
import { call } from "./call";
import type { Account } from "./types";

export const accountQuery = queryOptions({
  queryKey: ["account"],
  queryFn: async ({ signal }) => (await call<{ account: Account }>("/api/account", { signal })).account,
  staleTime: 60_000,
});

/** Who is signed in here. */
export const useAccount = () => useQuery(accountQuery);

/** End the sign-in, and go to where one signs in. */
export async function signOut(): Promise<void> {
  await call("/api/account/sign-out", { method: "POST" });
  location.assign("/");
}
