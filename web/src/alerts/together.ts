import type { AnyAlert } from "@/api/alerts";

/** What was told of one limit at once: the most of it that was used, and the lesser percentages that were passed on the way. */
export interface Together {
  alert: AnyAlert;
  passed: number[];
}

// Each is written with an instant of its own.
const AT_ONCE_MS = 1_000;

/** Warnings of one limit that came at once as one, at the place of the newest; all other alerts each for itself. */
export function together(alerts: AnyAlert[]): Together[] {
  const groups: AnyAlert[][] = [];
  for (const alert of alerts) {
    const group = groups.findLast(([newest]) => newest !== undefined && isOfOne(newest, alert));
    if (group === undefined) groups.push([alert]);
    else group.push(alert);
  }
  return groups.map((group) => {
    const [most, ...lesser] = group.toSorted((a, b) => percentOf(b) - percentOf(a)) as [
      AnyAlert,
      ...AnyAlert[],
    ];
    return { alert: most, passed: lesser.map(percentOf).toReversed() };
  });
}

/** Whether two are warnings of one limit, of one user, at one count of what is used. */
const isOfOne = (a: AnyAlert, b: AnyAlert): boolean =>
  isWarning(a) &&
  isWarning(b) &&
  a.userId === b.userId &&
  ["limit", "windowStart", "used", "allowed"].every((name) => a.data[name] === b.data[name]) &&
  Math.abs(Date.parse(a.createdAt) - Date.parse(b.createdAt)) < AT_ONCE_MS;

const isWarning = ({ kind }: AnyAlert): boolean => kind === "limit.threshold" || kind === "limit.reached";
const percentOf = ({ data }: AnyAlert): number => Number(data.percent);
