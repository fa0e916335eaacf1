import { lazy, useMemo } from "react";
import type { Analytics, Bucket } from "@/api/types";
import { ChartFrame } from "@/shared/ChartFrame";
import { costOf, count } from "@/shared/format";
import { shortTime, weekday } from "@/shared/times";
import { barOf, isCostUnknown } from "./bars";
import { MeasureChoice } from "./MeasureChoice";
import { MEASURES, type Measure } from "./measure";
import { NoCostKnown } from "./NoCostKnown";
import styles from "./usage.module.css";

const Bars = lazy(() => import("./Bars"));

interface UsageChartProps {
  analytics: Pick<Analytics, "buckets" | "granularity" | "timeZone">;
  measure: Measure;
  onMeasure: (measure: Measure) => void;
}

/** Usage over time: requests, tokens or money. */
export function UsageChart({ analytics, measure, onMeasure }: UsageChartProps) {
  const { buckets, granularity, timeZone } = analytics;
  const isHour = granularity === "hour";
  const rows = useMemo(
    () => buckets.map((bucket) => barOf(bucket, measure, { granularity, timeZone })),
    [buckets, measure, granularity, timeZone],
  );
  const columns = [
    { label: isHour ? "Hour" : "Day", of: (row: Bucket) => (isHour ? shortTime : weekday)(row.start) },
    { label: "Requests", of: (row: Bucket) => count(row.requests) },
    { label: "Failed", of: (row: Bucket) => count(row.failed) },
    { label: "Tokens", of: (row: Bucket) => count(row.tokensUsed) },
    { label: "Cost", of: (row: Bucket) => costOf(row.cost, row.unpriced) },
    ...(buckets.some(({ unpriced }) => unpriced)
      ? [{ label: "Without a price", of: (row: Bucket) => count(row.unpriced) }]
      : []),
  ];
  const { label, write, axis } = MEASURES[measure];
  const series =
    measure === "requests"
      ? [
          { name: "completed", label: "Completed", color: "var(--accent)" },
          { name: "failed", label: "Failed", color: "var(--bad-bar)" },
        ]
      : [{ name: measure, label, color: "var(--accent)" }];
  const isNothingKnown = measure === "cost" && isCostUnknown(buckets);
  return (
    <ChartFrame
      title="Usage over time"
      note={!isNothingKnown && rows.some(({ isPartly }) => isPartly) ? <PartlyPriced /> : undefined}
      actions={<MeasureChoice measure={measure} onChange={onMeasure} />}
      rows={buckets}
      columns={columns}
    >
      {isNothingKnown ? (
        <div className={styles.middle}>
          <NoCostKnown />
        </div>
      ) : (
        <Bars rows={rows} series={series} write={write} axis={axis} />
      )}
    </ChartFrame>
  );
}

/** What the mark above a bar means. */
function PartlyPriced() {
  return (
    <span className={styles.partly}>
      <i />
      some without a price
    </span>
  );
}
