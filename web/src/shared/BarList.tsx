import { Link } from "@tanstack/react-router";
import { useState } from "react";
import styles from "./BarList.module.css";

export interface Bar {
  key: string;
  label: string;
  value: number;
  /** How that is written. */
  told: string;
  /** Where more about it is. */
  to?: string;
  search?: Record<string, string>;
}

interface BarListProps {
  bars: Bar[];
  /** What is shown before "Show all". */
  most?: number;
}

/** What there is how much of, the largest first: easier to read than a pie, and it is its own table. */
export function BarList({ bars, most = 7 }: BarListProps) {
  const [isWhole, setIsWhole] = useState(false);
  const largest = Math.max(...bars.map((bar) => bar.value), Number.MIN_VALUE);
  const shown = isWhole ? bars : bars.slice(0, most);
  return (
    <>
      <ul className={styles.bars}>
        {shown.map((bar) => (
          <li key={bar.key}>
            <div className={styles.track}>
              {bar.value > 0 && (
                <div className={styles.bar} style={{ width: `${(100 * bar.value) / largest}%` }} />
              )}
              <Label bar={bar} />
            </div>
            <span className={styles.value}>{bar.told}</span>
          </li>
        ))}
      </ul>
      {bars.length > most && (
        <button type="button" className={styles.more} onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? "Show fewer" : `Show all ${bars.length}`}
        </button>
      )}
    </>
  );
}

function Label({ bar }: { bar: Bar }) {
  if (bar.to === undefined)
    return (
      <span className={styles.label} title={bar.label}>
        {bar.label}
      </span>
    );
  return (
    <Link className={styles.label} to={bar.to} search={bar.search ?? {}} title={bar.label}>
      {bar.label}
    </Link>
  );
}
