import type { Analytics, Bucket } from "@/api/types";
import { isUnknown, withoutPrice } from "@/shared/format";
import { dayIn } from "@/shared/period";
import { day, hour } from "@/shared/times";
import { MEASURES, type Measure } from "./measure";

/** A bar of the chart of usage, and what is said where one points at it. */
export interface BarRow extends Record<string, string | number | boolean | null | undefined> {
  start: string;
  /** Today, or the hour that it is: more may come. */
  isOver: boolean;
  /** Of some of it nobody knows what it cost. */
  isPartly: boolean;
  title: string;
  total: string;
  note: string | undefined;
}

/** What a bar is drawn from. */
export function barOf(bucket: Bucket, measure: Measure, { granularity, timeZone }: Shown): BarRow {
  const start = granularity === "hour" ? hour(bucket.start) : day(bucket.start);
  const isOver = isPast(bucket.start, granularity, timeZone);
  const { completed, failed, tokensUsed, cost, unpriced } = bucket;
  const isPartly = measure === "cost" && (unpriced ?? 0) > 0;
  const total = MEASURES[measure].told(bucket);
  return {
    start,
    isOver,
    isPartly,
    title: isOver ? start : `${start}, so far`,
    total: measure === "cost" ? total : `${total} ${MEASURES[measure].label.toLowerCase()}`,
    note: isPartly ? withoutPrice(unpriced) : undefined,
    completed,
    failed,
    tokensUsed,
    cost,
  };
}

type Shown = Pick<Analytics, "granularity" | "timeZone">;

const HOUR_MS = 3_600_000;

function isPast(start: string, granularity: Shown["granularity"], timeZone: string): boolean {
  const now = new Date();
  if (granularity === "hour") return Date.parse(start) + HOUR_MS <= now.getTime();
  return start.slice(0, 10) < dayIn(timeZone, now.toISOString());
}

/** Whether there were requests, and of none of them is known what it cost. */
export const isCostUnknown = (buckets: readonly Bucket[]): boolean =>
  buckets.some(({ unpriced }) => (unpriced ?? 0) > 0) &&
  buckets.every(({ cost, unpriced, requests }) => requests === 0 || isUnknown(cost, unpriced));
