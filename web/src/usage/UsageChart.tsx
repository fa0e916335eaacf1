import { Link, useNavigate } from "@tanstack/react-router";
import { lazy, useMemo } from "react";
import type { Analytics, Bucket, Measures } from "@/api/types";
import { ChartFrame } from "@/shared/ChartFrame";
import { costOf, count } from "@/shared/format";
import { shortTime, weekday } from "@/shared/times";
import { barOf, isCostUnknown } from "./bars";
import { Legend } from "./Legend";
import { MeasureChoice } from "./MeasureChoice";
import { MEASURES, type Measure } from "./measure";
import { NoCostKnown } from "./NoCostKnown";
import styles from "./usage.module.css";
import { within } from "./within";

const OUTCOMES = [
  { name: "completed", label: "Completed", color: "var(--accent)" },
  { name: "failed", label: "Failed", color: "var(--bad-bar)" },
] as const;

const Bars = lazy(() => import("./Bars"));

interface UsageChartProps {
  analytics: Pick<Analytics, "buckets" | "granularity" | "timeZone" | "totals">;
  measure: Measure;
  onMeasure: (measure: Measure) => void;
  /** Whether a day or an hour leads to its requests. */
  isLinked: boolean;
}

/** Usage over time: requests, tokens or money. */
export function UsageChart({ analytics, measure, onMeasure, isLinked }: UsageChartProps) {
  const { buckets, granularity, timeZone, totals } = analytics;
  const navigate = useNavigate();
  const isHour = granularity === "hour";
  const rows = useMemo(
    () => buckets.map((bucket) => barOf(bucket, measure, { granularity, timeZone })),
    [buckets, measure, granularity, timeZone],
  );
  const requestsOf = ({ start, end }: Bucket) => ({
    to: "/requests" as const,
    search: within(start, end, timeZone),
  });
  const open = (place: number) => {
    const bucket = buckets[place];
    if (bucket?.requests) void navigate(requestsOf(bucket));
  };
  const columns = [
    {
      label: isHour ? "Hour" : "Day",
      of: (row: Bucket) => (isHour ? shortTime : weekday)(row.start),
      around: (row: Bucket, told: string) =>
        isLinked && row.requests > 0 ? <Link {...requestsOf(row)}>{told}</Link> : told,
    },
    { label: "Requests", of: (row: Bucket) => count(row.requests) },
    { label: "Failed", of: (row: Bucket) => count(row.failed) },
    { label: "Tokens", of: (row: Bucket) => count(row.tokensUsed) },
    { label: "Cost", of: (row: Bucket) => costOf(row.cost, row.unpriced) },
    ...(buckets.some(({ unpriced }) => unpriced)
      ? [{ label: "Without a price", of: (row: Bucket) => count(row.unpriced) }]
      : []),
  ];
  const { label, write, axis } = MEASURES[measure];
  const series = measure === "requests" ? OUTCOMES : [{ name: measure, label, color: "var(--accent)" }];
  const isNothingKnown = measure === "cost" && isCostUnknown(buckets);
  return (
    <ChartFrame
      title="Usage over time"
      note={!isNothingKnown && rows.some(({ isPartly }) => isPartly) ? <PartlyPriced /> : undefined}
      actions={<UsageActions measure={measure} onMeasure={onMeasure} totals={totals} />}
      rows={buckets}
      columns={columns}
    >
      {isNothingKnown ? (
        <div className={styles.middle}>
          <NoCostKnown />
        </div>
      ) : (
        <Bars rows={rows} series={series} write={write} axis={axis} onChosen={isLinked ? open : undefined} />
      )}
    </ChartFrame>
  );
}

interface UsageActionsProps extends Pick<UsageChartProps, "measure" | "onMeasure"> {
  totals: Pick<Measures, "completed" | "failed"> | undefined;
}

/** What the chart is about, and what its colours mean where there are several. */
export function UsageActions({ measure, onMeasure, totals }: UsageActionsProps) {
  return (
    <>
      {measure === "requests" && (
        <Legend series={OUTCOMES.map((each) => ({ ...each, told: count(totals?.[each.name]) }))} />
      )}
      <MeasureChoice measure={measure} onChange={onMeasure} />
    </>
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
