import type { Asked } from "@/api/analytics";
import { type Days, lastDays, lastHours } from "@/shared/period";

/** What of a period is asked for: its hours if it is the last 24, else its days. */
export const askedOf = (days: Days, timeZone: string): Asked =>
  days === 1 ? { ...lastHours(), granularity: "hour" } : { ...lastDays(days, timeZone), granularity: "day" };
