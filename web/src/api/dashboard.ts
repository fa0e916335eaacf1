import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type Status, subscribe } from "@/live/stream";
import { call } from "./call";
import { beginAnew, useIsEnding } from "./ending";
import type { Dashboard } from "./types";

const KEY = ["dashboard"];
// What is summed elsewhere is asked for again soon after something happened, but not with every event of many.
const SETTLED_MS = 1_500;
const FOLLOWING = ["analytics", "requests", "sessions", "plan", "alerts"];
// Without a stream the page asks by itself.
const ASKED_AGAIN_MS = 10_000;

export const dashboardQuery = queryOptions({
  queryKey: KEY,
  queryFn: ({ signal }) => call<Dashboard>("/api/user/dashboard", { signal }),
  staleTime: Number.POSITIVE_INFINITY,
});

/** The user's own numbers, kept current by `useLiveDashboard`. */
export const useDashboard = () => useQuery(dashboardQuery);

/** Once for the whole app: what happens moves every number that is shown. Gives how the stream fares. */
export function useLiveDashboard(userId: string): Status {
  const client = useQueryClient();
  const [status, setStatus] = useState<Status>("connecting");
  const isEnding = useIsEnding();
  useEffect(() => {
    if (isEnding) return;
    let settling: ReturnType<typeof setTimeout> | undefined;
    const follow = () => {
      settling = undefined;
      for (const key of FOLLOWING) void client.invalidateQueries({ queryKey: [key] });
    };
    const stop = subscribe<Dashboard>((dashboard, now) => {
      setStatus(now);
      if (now === "ended") beginAnew();
      if (dashboard === null) return;
      const known = client.getQueryData<Dashboard>(KEY);
      client.setQueryData(KEY, dashboard);
      // Before the first that is heard something may have happened since the page asked.
      if (known === undefined || hasMoved(known, dashboard)) settling ??= setTimeout(follow, SETTLED_MS);
    }, userId);
    return () => {
      clearTimeout(settling);
      stop();
    };
  }, [client, userId, isEnding]);
  useEffect(() => {
    if (status === "live") return;
    const asking = setInterval(() => void client.invalidateQueries({ queryKey: KEY }), ASKED_AGAIN_MS);
    return () => clearInterval(asking);
  }, [client, status]);
  return status;
}

function hasMoved(before: Dashboard, now: Dashboard): boolean {
  return JSON.stringify([before.metrics, before.limits]) !== JSON.stringify([now.metrics, now.limits]);
}
