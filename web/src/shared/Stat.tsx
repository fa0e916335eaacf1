import { Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import type { Change } from "./change";
import styles from "./Stat.module.css";

interface StatProps {
  label: string;
  value: ReactNode;
  /** How it has changed (null: nobody knows, but there is room for it), and whether more is good, bad, or neither. */
  change?: Change | null;
  more?: "good" | "bad";
  note?: ReactNode;
}

/** One number that one looks for first, and how it has changed. */
export function Stat({ label, value, change, more, note }: StatProps) {
  return (
    <div className={styles.stat}>
      <dt>{label}</dt>
      <dd className={styles.value}>{value}</dd>
      <dd className={styles.note} data-lines={change === undefined ? 1 : 2}>
        {change && <Changed change={change} {...(more === undefined ? {} : { more })} />}
        {note !== undefined && <span>{note}</span>}
      </dd>
    </div>
  );
}

/** Numbers beside each other. */
export function Stats({ children }: { children: ReactNode }) {
  return <dl className={styles.stats}>{children}</dl>;
}

function Changed({ change: { short, told, direction }, more }: { change: Change; more?: "good" | "bad" }) {
  const tone =
    direction === "none" || more === undefined
      ? "none"
      : (direction === "up") === (more === "good")
        ? "good"
        : "bad";
  return (
    <Tooltip label={told} position="bottom">
      <span className={styles.delta} data-tone={tone}>
        <span aria-hidden="true">{short}</span>
        <span className="visually-hidden">{told}</span>
      </span>
    </Tooltip>
  );
}
