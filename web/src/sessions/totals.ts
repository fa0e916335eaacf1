import type { ChatRequest } from "@/api/types";

const NANOS_PER_CENT = 10_000_000;

/** The sums of a conversation, as the list of conversations has them; at least one request is in it. */
export function totalsOf(requests: readonly ChatRequest[]) {
  const sum = (of: (request: ChatRequest) => number) => requests.reduce((all, each) => all + of(each), 0);
  const begins = requests.map(({ startedAt }) => startedAt).toSorted();
  return {
    failed: sum(({ status }) => Number(status === "failed")),
    tokensUsed: sum(({ tokensUsed }) => tokensUsed ?? 0),
    cost: sum(({ costNanos }) => costNanos ?? 0) / NANOS_PER_CENT,
    unpriced: sum(({ costSource }) => Number(costSource === "unpriced")),
    startedAt: begins.at(0) ?? "",
    lastAt: begins.at(-1) ?? "",
  };
}
