import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { accountQuery } from "./account";
import { useAct } from "./act";
import { call, Problem } from "./call";
import type { CeremonyBegun, Passkey } from "./types";

const PATH = "/api/account/passkeys";
const KEY = ["passkeys"];
// The page on which one signs in offers a passkey first where this is kept.
const KEPT = "tollkeeper-passkey";

export const passkeysQuery = queryOptions({
  queryKey: KEY,
  queryFn: async ({ signal }) => (await call<{ items: Passkey[] }>(PATH, { signal })).items,
});

export const usePasskeys = () => useQuery(passkeysQuery);

/** Whether this browser can make and use passkeys here: only where the page came over a secure connection. */
export const knowsPasskeys = (): boolean =>
  typeof PublicKeyCredential !== "undefined" && "parseCreationOptionsFromJSON" in PublicKeyCredential;

/** Have this device make one, and keep it. */
export function useAddPasskey() {
  return useChange(async (name: string) => {
    const { options, ceremony } = await call<CeremonyBegun>(`${PATH}/options`, { method: "POST", body: {} });
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
      options as unknown as PublicKeyCredentialCreationOptionsJSON,
    );
    const credential = asJson(await navigator.credentials.create({ publicKey }).catch(refused));
    await call(PATH, { method: "POST", body: { ceremony, credential, name } });
    localStorage.setItem(KEPT, "used");
  });
}

export function useRenamePasskey(id: string) {
  return useChange((name: string) => call(`${PATH}/${id}`, { method: "PATCH", body: { name } }));
}

export function useRemovePasskey(id: string) {
  return useChange(() => call(`${PATH}/${id}`, { method: "DELETE" }));
}

/** Sign in anew by one of this device. */
export async function signInByPasskey(): Promise<void> {
  const { options, ceremony } = await call<CeremonyBegun>("/api/sign-in/passkey/options", {
    method: "POST",
    body: {},
  });
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options as unknown as PublicKeyCredentialRequestOptionsJSON,
  );
  const credential = asJson(await navigator.credentials.get({ publicKey }).catch(refused));
  await call("/api/sign-in/passkey", { method: "POST", body: { ceremony, credential } });
  localStorage.setItem(KEPT, "used");
}

function asJson(credential: Credential | null): unknown {
  return (credential as PublicKeyCredential | null)?.toJSON();
}

/** What a browser says where nothing came of it, in words. */
function refused(error: unknown): never {
  if (error instanceof DOMException && error.name === "InvalidStateError")
    throw new Problem(
      0,
      "This device has one already",
      "It has a passkey of your account. Use another device.",
    );
  throw new Problem(
    0,
    "No passkey was used",
    "The browser was not allowed to, or it took too long. Try again.",
  );
}

function useChange<Told>(change: (told: Told) => Promise<unknown>) {
  const client = useQueryClient();
  return useAct({
    mutationFn: change,
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: accountQuery.queryKey });
      return client.invalidateQueries({ queryKey: KEY });
    },
  });
}
