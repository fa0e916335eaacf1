import { lazy, useMemo } from "react";
import type { Analytics, Bucket } from "@/api/types";
import { ChartFrame } from "@/shared/ChartFrame";
import { EmptyState } from "@/shared/EmptyState";
import { duration } from "@/shared/format";
import { Panel } from "@/shared/Panel";
import { day, hour, shortTime, weekday } from "@/shared/times";
import { Legend } from "./Legend";

const Lines = lazy(() => import("./Lines"));

export const PERCENTILES = [
  { name: "p50", label: "Median", color: "var(--accent)" },
  { name: "p95", label: "95th", color: "var(--warn-bar)" },
  { name: "p99", label: "99th", color: "var(--bad-bar)" },
] as const;

const columnsOf = (isHour: boolean) => [
  { label: isHour ? "Hour" : "Day", of: (row: Bucket) => (isHour ? shortTime : weekday)(row.start) },
  ...PERCENTILES.map(({ name, label }) => ({ label, of: (row: Bucket) => duration(row[name]) })),
];

/** How long requests took: the middle one, and the slow ones. */
export function LatencyChart({
  analytics: { buckets, totals, granularity },
}: {
  analytics: Pick<Analytics, "buckets" | "totals" | "granularity">;
}) {
  const isHour = granularity === "hour";
  const rows = useMemo(
    () => buckets.map(({ start, p50, p95, p99 }) => ({ start: (isHour ? hour : day)(start), p50, p95, p99 })),
    [buckets, isHour],
  );
  if (totals.p50 == null)
    return (
      <Panel title="Response time">
        <EmptyState title="No times yet">Finished requests with a duration appear here.</EmptyState>
      </Panel>
    );
  return (
    <ChartFrame
      title="Response time"
      actions={
        <Legend series={PERCENTILES.map((each) => ({ ...each, told: duration(totals[each.name]) }))} />
      }
      rows={buckets}
      columns={columnsOf(isHour)}
    >
      <Lines rows={rows} series={PERCENTILES} write={duration} />
    </ChartFrame>
  );
}
