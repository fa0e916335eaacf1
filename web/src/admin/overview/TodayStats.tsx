import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Overview } from "@/api/types";
import { brief, briefMoney, compact, costOf, count, percent, withoutPrice } from "@/shared/format";
import { Stat, Stats } from "@/shared/Stat";

/** Today against the whole of yesterday, and who was there. */
export function TodayStats({ overview: { today, yesterday, activeUsers, users } }: { overview: Overview }) {
  return (
    <Stats>
      <Stat
        label="Requests today"
        value={brief(today.requests)}
        whole={count(today.requests)}
        note={`${count(yesterday.requests)} yesterday`}
      />
      <Stat
        label="Failed today"
        value={brief(today.failed)}
        whole={count(today.failed)}
        note={today.successRate == null ? "none finished yet" : `${percent(today.successRate)} succeed`}
      />
      <Stat
        label="Tokens today"
        value={compact(today.tokensUsed)}
        whole={count(today.tokensUsed)}
        note={`${compact(yesterday.tokensUsed)} yesterday`}
      />
      <Stat
        label="Cost today"
        value={costOf(today.cost, today.unpriced, briefMoney)}
        whole={costOf(today.cost, today.unpriced)}
        note={withoutPrice(today.unpriced) ?? `${costOf(yesterday.cost, yesterday.unpriced)} yesterday`}
      />
      <Stat
        label="Active users"
        value={brief(activeUsers.today)}
        whole={count(activeUsers.today)}
        note={`${count(activeUsers.week)} in 7 days, ${count(activeUsers.month)} in 30`}
      />
      <Stat
        label="All users"
        value={<Link to="/admin/users">{brief(users.total)}</Link>}
        note={
          users.active === users.total
            ? "none switched off"
            : `${count(users.total - users.active)} switched off`
        }
      />
    </Stats>
  );
}

const LABELS = ["Requests today", "Failed today", "Tokens today", "Cost today", "Active users", "All users"];

/** Stands in for it. */
export function TodayOutline() {
  return (
    <Stats>
      {LABELS.map((label) => (
        <Stat key={label} label={label} value={<Skeleton height={20} width={56} my={5} />} />
      ))}
    </Stats>
  );
}
