import { Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import type { Change } from "./change";
import styles from "./Stat.module.css";

interface StatProps {
  label: string;
  value: ReactNode;
  /** All of it, where the value may be shortened. */
  whole?: string;
  /** How it has changed (null: nobody knows, but there is room for it), and whether more is good, bad, or neither. */
  change?: Change | null;
  more?: "good" | "bad";
  note?: ReactNode;
}

/** One number that one looks for first, and how it has changed. */
export function Stat({ label, value, whole = "", change, more, note }: StatProps) {
  return (
    <div className={styles.stat}>
      <dt>{label}</dt>
      <dd className={styles.value}>
        {whole === "" || whole === value ? value : <Told short={value} whole={whole} />}
      </dd>
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
  return <Told short={short} whole={told} className={styles.delta} tone={tone} />;
}

interface ToldProps {
  short: ReactNode;
  whole: string;
  className?: string | undefined;
  tone?: string;
}

/** Shortly, and the whole of it on hover and to screen readers. */
function Told({ short, whole, className = styles.short, tone }: ToldProps) {
  return (
    <Tooltip label={whole} position="bottom">
      <span className={className} data-tone={tone}>
        <span aria-hidden="true">{short}</span>
        <span className="visually-hidden">{whole}</span>
      </span>
    </Tooltip>
  );
}
