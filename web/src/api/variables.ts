import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { exactAnswer } from "@/shared/exact";
import { useAct } from "./act";
import { call, fileAt, query } from "./call";
import type { Variable, VariableShown, VariableType } from "./types";

const PATH = "/api/user/variables";
const KEY = ["variables"];
const pathOf = (key: string) => `${PATH}/${encodeURIComponent(key)}`;
const remove = (key: string) => call(pathOf(key), { method: "DELETE" });

export interface NewVariable {
  key: string;
  value: unknown;
  type?: VariableType;
  description?: string | null;
}

const textOf = (value: unknown, type: VariableType): string =>
  type === "string" || type === "secret" ? String(value) : JSON.stringify(value);

const variablesQuery = queryOptions({
  queryKey: KEY,
  queryFn: async ({ signal }) => {
    const { variables } = await exactAnswer<{ variables: VariableShown[] }>(await fileAt(PATH, signal));
    return variables.map(({ value, ...rest }): Variable => ({ ...rest, text: textOf(value, rest.type) }));
  },
});

/** All by name; secrets are masked. */
export const useVariables = () => useQuery(variablesQuery);

/** All as of now, before one changes what others may have changed. */
export function useVariablesNow() {
  const client = useQueryClient();
  return useAct({ mutationFn: () => client.fetchQuery({ ...variablesQuery, staleTime: 0 }) });
}

/** Create or update one. */
export function usePutVariable() {
  return useChange((variable: NewVariable) => call(PATH, { method: "POST", body: variable }));
}

/** Create or update several, all or none. */
export function usePutVariables() {
  return useChange((variables: NewVariable[]) => call(PATH, { method: "PUT", body: { variables } }));
}

export function useDeleteVariable() {
  return useChange(remove);
}

/** Delete several, one after the other. */
export function useDeleteVariables() {
  return useChange(async (keys: string[]) => {
    for (const key of keys) await remove(key);
  });
}

/** The secret itself. It is asked for on demand, and kept nowhere. */
export async function reveal(key: string): Promise<string> {
  return String((await call<{ variable: VariableShown }>(`${pathOf(key)}?reveal=true`)).variable.value);
}

/** All as a `.env` file; without secrets, each of them is a comment in it. */
export const asFile = (withSecrets: boolean): Promise<Blob> =>
  fileAt(PATH + query({ format: "env", reveal: withSecrets || undefined }));

function useChange<Told>(change: (told: Told) => Promise<unknown>) {
  const client = useQueryClient();
  return useAct({ mutationFn: change, onSuccess: () => client.invalidateQueries({ queryKey: KEY }) });
}
