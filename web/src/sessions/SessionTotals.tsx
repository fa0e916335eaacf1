import type { ChatRequest } from "@/api/types";
import { costOf, counted, withoutPrice } from "@/shared/format";
import { shortTime } from "@/shared/times";
import { totalsOf } from "./totals";

/** What a whole conversation used, and when it was. */
export function SessionTotals({ requests }: { requests: readonly ChatRequest[] }) {
  const { failed, tokensUsed, cost, unpriced, startedAt, lastAt } = totalsOf(requests);
  const parts = [
    counted(requests.length, "request"),
    failed > 0 && `${failed} failed`,
    counted(tokensUsed, "token"),
    costOf(cost, unpriced),
    withoutPrice(unpriced),
    [...new Set([startedAt, lastAt].map(shortTime))].join(" to "),
  ];
  return <span>{parts.filter(Boolean).join(" · ")}</span>;
}
