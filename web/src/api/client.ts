import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./call";
import { ending, listen } from "./ending";

const MOST_RETRIES = 2;
// What could not be had even so is asked for again while somebody looks, as the words of a `Problem` promise.
const AGAIN_MS = 10_000;

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (failures, problem) => failures < MOST_RETRIES && mayPass(problem),
      retryDelay: (failures) => 400 * 2 ** failures,
      refetchInterval: ({ state }) => mayPass(state.error) && AGAIN_MS,
    },
  },
});

// What is on its way is let go of: it would come back with a refusal.
listen(() => void (ending.isUnderWay ? client.cancelQueries() : client.invalidateQueries()));

/** What the service understood and refused, it refuses again. */
function mayPass(problem: Error | null): boolean {
  return problem instanceof Problem && (problem.status === 0 || problem.status >= 500);
}

declare module "@tanstack/react-query" {
  interface Register {
    defaultError: Problem;
  }
}
