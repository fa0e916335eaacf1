import { lazy, useMemo } from "react";
import type { Analytics, Bucket } from "@/api/types";
import { ChartFrame } from "@/shared/ChartFrame";
import { costOf, count, day, hour, isUnknown, shortTime, wholeDay } from "@/shared/format";
import { MeasureChoice } from "./MeasureChoice";
import { MEASURES, type Measure } from "./measure";

const Bars = lazy(() => import("./Bars"));

interface UsageChartProps {
  analytics: Pick<Analytics, "buckets" | "granularity">;
  measure: Measure;
  onMeasure: (measure: Measure) => void;
}

/** Usage over time: requests, tokens or money. */
export function UsageChart({ analytics: { buckets, granularity }, measure, onMeasure }: UsageChartProps) {
  const isHour = granularity === "hour";
  const rows = useMemo(() => buckets.map((bucket) => rowOf(bucket, isHour ? hour : day)), [buckets, isHour]);
  const columns = [
    { label: isHour ? "Hour" : "Day", of: (row: Bucket) => (isHour ? shortTime : wholeDay)(row.start) },
    { label: "Requests", of: (row: Bucket) => count(row.requests) },
    { label: "Failed", of: (row: Bucket) => count(row.failed) },
    { label: "Tokens", of: (row: Bucket) => count(row.tokensUsed) },
    { label: "Cost", of: (row: Bucket) => costOf(row.cost, row.unpriced) },
  ];
  const { label, write, axis } = MEASURES[measure];
  const series =
    measure === "requests"
      ? [
          { name: "completed", label: "Completed", color: "var(--accent)" },
          { name: "failed", label: "Failed", color: "var(--bad-bar)" },
        ]
      : [{ name: measure, label, color: "var(--accent)" }];
  return (
    <ChartFrame
      title="Usage over time"
      actions={<MeasureChoice measure={measure} onChange={onMeasure} />}
      rows={buckets}
      columns={columns}
    >
      <Bars rows={rows} series={series} write={write} axis={axis} />
    </ChartFrame>
  );
}

function rowOf(bucket: Bucket, write: (start: string) => string) {
  const { completed, failed, tokensUsed } = bucket;
  const cost = isUnknown(bucket.cost, bucket.unpriced) ? null : bucket.cost;
  return { start: write(bucket.start), completed, failed, tokensUsed, cost };
}
