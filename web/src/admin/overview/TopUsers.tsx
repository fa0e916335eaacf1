import { Select } from "@mantine/core";
import { useState } from "react";
import { useTopUsers } from "@/api/admin";
import type { Measures } from "@/api/types";
import { BarList } from "@/shared/BarList";
import { EmptyState } from "@/shared/EmptyState";
import { compact, count, duration, money } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { Panel } from "@/shared/Panel";
import { type Days, lastDays } from "@/shared/period";
import { SkeletonRows } from "@/shared/SkeletonRows";

const BY: Record<
  string,
  { label: string; of: (totals: Measures) => number | null; write: (value: number) => string }
> = {
  requests: { label: "Requests", of: (totals) => totals.requests, write: count },
  failed: { label: "Failed", of: (totals) => totals.failed, write: count },
  tokensUsed: { label: "Tokens", of: (totals) => totals.tokensUsed, write: compact },
  cost: { label: "Cost", of: (totals) => totals.cost, write: money },
  unpriced: { label: "Unpriced", of: (totals) => totals.unpriced, write: count },
  averageDuration: { label: "Mean time", of: (totals) => totals.averageDuration, write: duration },
};
const MOST = 10;

/** Who used most. */
export function TopUsers({ days }: { days: Days }) {
  const [by, setBy] = useState("requests");
  const top = useTopUsers({ ...lastDays(days, "UTC"), by, limit: MOST });
  const { of, write } = BY[by] ?? { of: () => null, write: count };
  const choice = (
    <Select
      size="xs"
      w={130}
      aria-label="By what"
      allowDeselect={false}
      value={by}
      data={Object.entries(BY).map(([value, { label }]) => ({ value, label }))}
      onChange={(chosen) => setBy(chosen ?? "requests")}
    />
  );
  return (
    <Panel title="Top users" {...(days === 1 ? { note: "today" } : {})} actions={choice}>
      <Loaded query={top} skeleton={<SkeletonRows rows={5} />}>
        {({ items }) => {
          const bars = items
            .map(({ user, totals }) => ({
              key: user.id,
              label: user.name ?? user.email ?? user.id,
              value: of(totals) ?? 0,
              to: `/admin/users/${user.id}`,
            }))
            .filter(({ value }) => value > 0);
          return bars.length === 0 ? (
            <EmptyState title="Nobody in this time">Choose a longer period to look further back.</EmptyState>
          ) : (
            <BarList bars={bars} write={write} most={MOST} />
          );
        }}
      </Loaded>
    </Panel>
  );
}
