import { Skeleton } from "@mantine/core";
import type { Analytics } from "@/api/types";
import { compact, costOf, count, duration, NONE, percent, stars, withoutPrice } from "@/shared/format";
import { Stat, Stats } from "@/shared/Stat";

/** A period's numbers, each beside how it has changed against the period before. */
export function UsageStats({ totals, before }: Pick<Analytics, "totals" | "before">) {
  const isPriced = !(totals.cost === 0 && totals.unpriced);
  return (
    <Stats>
      <Stat label="Requests" value={count(totals.requests)} now={totals.requests} before={before?.requests} />
      <Stat
        label="Success rate"
        value={percent(totals.successRate)}
        now={totals.successRate}
        before={before?.successRate}
        more="good"
        note={totals.failed ? `${count(totals.failed)} failed` : undefined}
      />
      <Stat
        label="Tokens"
        value={compact(totals.tokensUsed)}
        now={totals.tokensUsed}
        before={before?.tokensUsed}
      />
      <Stat
        label="Cost"
        value={costOf(totals.cost, totals.unpriced)}
        now={isPriced ? totals.cost : null}
        before={before?.cost}
        note={withoutPrice(totals.unpriced)}
      />
      <Stat
        label="Median time"
        value={duration(totals.p50)}
        now={totals.p50}
        before={before?.p50}
        more="bad"
      />
      <Stat
        label="Rating"
        value={totals.averageRating == null ? NONE : `${stars(totals.averageRating)} / 5`}
        now={totals.averageRating}
        before={before?.averageRating}
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
        <Stat key={label} label={label} value={<Skeleton height={20} width={72} mt={6} />} />
      ))}
    </Stats>
  );
}
