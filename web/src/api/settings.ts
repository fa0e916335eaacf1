import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useAct } from "./act";
import { call } from "./call";
import type { Settings, SettingsChange } from "./types";

const PATH = "/api/user/settings";
const KEY = ["settings"];

interface Answer {
  settings: Settings;
}

export const settingsQuery = queryOptions({
  queryKey: KEY,
  queryFn: async ({ signal }) => (await call<Answer>(PATH, { signal })).settings,
  staleTime: 60_000,
});

/** How one wants the app to be. */
export const useSettings = () => useQuery(settingsQuery);

/** Change some of it. */
export function useChangeSettings() {
  const client = useQueryClient();
  return useAct({
    mutationFn: async (changes: SettingsChange) =>
      (await call<Answer>(PATH, { method: "PUT", body: changes })).settings,
    onSuccess: (settings) => {
      client.setQueryData(KEY, settings);
      void client.invalidateQueries({ queryKey: ["account"] });
      void client.invalidateQueries({ queryKey: ["dashboard"] });
    },
  });
}
