import { Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import { change, count } from "./format";
import styles from "./Stat.module.css";

interface StatProps {
  label: string;
  value: ReactNode;
  /** Now and in the period before, to be compared. */
  now?: number | null | undefined;
  before?: number | null | undefined;
  /** Whether more is good, bad, or neither. */
  more?: "good" | "bad";
  note?: ReactNode;
}

/** One number that one looks for first, and how it has changed. */
export function Stat({ label, value, now, before, more, note }: StatProps) {
  return (
    <div className={styles.stat}>
      <dt>{label}</dt>
      <dd className={styles.value}>{value}</dd>
      <dd className={styles.note}>
        <Delta now={now} before={before} more={more} />
        {note !== undefined && <span>{note}</span>}
      </dd>
    </div>
  );
}

/** Numbers beside each other. */
export function Stats({ children }: { children: ReactNode }) {
  return <dl className={styles.stats}>{children}</dl>;
}

const NOTICED = 0.005;

function Delta({
  now,
  before,
  more,
}: Pick<StatProps, "now" | "before"> & { more: StatProps["more"] | undefined }) {
  if (now === null || now === undefined || before === null || before === undefined) return null;
  if (before === 0) return now === 0 ? null : <span>new</span>;
  const by = (now - before) / before;
  const moved = Math.abs(by) >= NOTICED;
  const tone = !moved || more === undefined ? "none" : by > 0 === (more === "good") ? "good" : "bad";
  const text = by > 9.99 ? `${count(Math.round(now / before))}×` : moved ? change(by) : "no change";
  return (
    <Tooltip label="compared with the period before">
      <span className={styles.delta} data-tone={tone}>
        {text}
      </span>
    </Tooltip>
  );
}
