import { Skeleton } from "@mantine/core";
import type { Analytics } from "@/api/types";
import { changeOf, type Kind } from "@/shared/change";
import {
  brief,
  briefMoney,
  compact,
  costOf,
  count,
  duration,
  isUnknown,
  money,
  NONE,
  percent,
  stars,
  withoutPrice,
} from "@/shared/format";
import { Stat, Stats } from "@/shared/Stat";

interface UsageStatsProps extends Pick<Analytics, "totals" | "before"> {
  /** What it is compared with: the 30 days before. */
  than: string;
  pending: number;
}

/** A period's numbers, each beside how it has changed against the period before. */
export function UsageStats({ totals, before, than, pending }: UsageStatsProps) {
  const against = (
    name: "requests" | "successRate" | "tokensUsed" | "cost" | "p50" | "averageRating",
    kind: Kind,
    write: (value: number) => string,
  ) => changeOf(totals[name], before?.[name], kind, than, write);
  const isPriced = [totals, before].every((each) => !isUnknown(each?.cost, each?.unpriced));
  return (
    <Stats>
      <Stat
        label="Requests"
        value={brief(totals.requests)}
        whole={count(totals.requests)}
        change={against("requests", "many", count)}
        note={pending > 0 ? `${count(pending)} pending` : undefined}
      />
      <Stat
        label="Success rate"
        value={percent(totals.successRate)}
        change={against("successRate", "points", percent)}
        more="good"
        note={totals.failed ? `${count(totals.failed)} failed` : undefined}
      />
      <Stat
        label="Tokens"
        value={compact(totals.tokensUsed)}
        whole={count(totals.tokensUsed)}
        change={against("tokensUsed", "many", compact)}
      />
      <Stat
        label="Cost"
        value={costOf(totals.cost, totals.unpriced, briefMoney)}
        whole={costOf(totals.cost, totals.unpriced)}
        change={isPriced ? against("cost", "much", money) : null}
        note={withoutPrice(totals.unpriced)}
      />
      <Stat
        label="Median time"
        value={duration(totals.p50)}
        change={against("p50", "long", duration)}
        more="bad"
      />
      <Stat
        label="Rating"
        value={totals.averageRating == null ? NONE : `${stars(totals.averageRating)} / 5`}
        change={against("averageRating", "stars", stars)}
        more="good"
        note={totals.ratedRequests ? `${count(totals.ratedRequests)} rated` : "none rated"}
      />
    </Stats>
  );
}

const LABELS = ["Requests", "Success rate", "Tokens", "Cost", "Median time", "Rating"];

/** Stands in for them. */
export function UsageStatsSkeleton() {
  return (
    <Stats>
      {LABELS.map((label) => (
        <Stat key={label} label={label} change={null} value={<Skeleton height={20} width={72} my={5} />} />
      ))}
    </Stats>
  );
}
