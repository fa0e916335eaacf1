import { Skeleton } from "@mantine/core";
import type { ReactNode } from "react";
import styles from "./Meter.module.css";
import { TimeAgo } from "./TimeAgo";

const NEAR = 0.8;

interface MeterProps {
  label: string;
  used: number;
  /** null is no limit. */
  limit: number | null;
  write: (value: number) => string;
  resetsAt?: string;
  note?: ReactNode;
}

/** How much of a limit is used, and when it starts anew. */
export function Meter({ label, used, limit, write, resetsAt, note }: MeterProps) {
  const said = limit === null ? `${write(used)} used, no limit` : `${write(used)} of ${write(limit)}`;
  return (
    <figure className={styles.meter} data-full={limit !== null && used >= limit}>
      <figcaption>{label}</figcaption>
      <p className={styles.numbers}>
        <strong>{write(used)}</strong> {limit === null ? "no limit" : `of ${write(limit)}`}
      </p>
      {limit === null ? (
        <div className={styles.open} />
      ) : (
        <>
          {/* Browsers draw it in parts of their own, which do not fill its height: it is heard, and ours is seen. */}
          <meter
            className="visually-hidden"
            aria-label={label}
            aria-valuetext={said}
            min={0}
            max={Math.max(limit, 1)}
            low={limit * NEAR}
            high={limit}
            optimum={0}
            value={limit === 0 ? 1 : used}
          >
            {said}
          </meter>
          <div className={styles.track} aria-hidden="true">
            <div
              data-tone={used >= limit ? "full" : used >= limit * NEAR ? "near" : "fine"}
              style={{ width: `${limit === 0 ? 100 : Math.min(100, (100 * used) / limit)}%` }}
            />
          </div>
        </>
      )}
      <p className={styles.note}>
        {limit !== null && (used < limit ? `${write(limit - used)} left` : "Used up")}
        {limit !== null && resetsAt !== undefined && " · "}
        {resetsAt !== undefined && (
          <>
            {limit === null ? "counts anew " : "resets "}
            <TimeAgo at={resetsAt} />
          </>
        )}
        {note}
      </p>
    </figure>
  );
}

/** A limit of which nobody counts here what is used. */
export function Bound({ label, most }: { label: string; most: string }) {
  return (
    <figure className={styles.meter}>
      <figcaption>{label}</figcaption>
      <p className={styles.numbers}>
        <strong>{most}</strong> at most
      </p>
    </figure>
  );
}

/** Stands in for one, as high as it is. */
export function MeterOutline({ label }: { label: string }) {
  return (
    <figure className={styles.meter}>
      <figcaption>{label}</figcaption>
      <p className={styles.numbers}>
        <strong>
          <Skeleton component="span" display="inline-block" height={18} width={90} />
        </strong>
      </p>
      <div className={styles.open} />
      <p className={styles.note}>
        <Skeleton component="span" display="inline-block" height={12} width={140} />
      </p>
    </figure>
  );
}
