import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
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
  /** All that is not among those that are shown, as one: so that what stands here adds up. */
  othersThan?: (shown: readonly Bar[]) => Others | null;
}

export interface Others extends Pick<Bar, "label" | "value" | "told"> {
  /** What is to be known of them, on hover. */
  about?: string;
}

/** What there is how much of, the largest first: easier to read than a pie, and it is its own table. */
export function BarList({ bars, most = 7, othersThan = () => null }: BarListProps) {
  const [isWhole, setIsWhole] = useState(false);
  const shown = isWhole ? bars : bars.slice(0, most);
  const others = othersThan(shown);
  const largest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const hidden = bars.length - most;
  // Not all there are may be known by name.
  const more = othersThan(bars) === null ? `Show all ${bars.length}` : `Show ${hidden} more`;
  return (
    <>
      <ul className={styles.bars}>
        {shown.map((bar) => (
          <Line key={bar.key} value={bar.value} largest={largest} told={bar.told}>
            <Label bar={bar} />
          </Line>
        ))}
        {others !== null && (
          <Line value={others.value} largest={largest} told={others.told} isOthers>
            <span className={styles.label} title={others.about}>
              {others.label}
            </span>
          </Line>
        )}
      </ul>
      {hidden > 0 && (
        <button type="button" className={styles.more} onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? "Show fewer" : more}
        </button>
      )}
    </>
  );
}

interface LineProps {
  value: number;
  largest: number;
  told: string;
  isOthers?: boolean;
  children: ReactNode;
}

function Line({ value, largest, told, isOthers = false, children }: LineProps) {
  // All others may be more than any: theirs then fades out, rather than all that are named becoming slivers.
  const share = Math.min(value / largest, 1);
  return (
    <li data-others={isOthers || undefined} data-beyond={value > largest || undefined}>
      <div className={styles.track}>
        {value > 0 && <div className={styles.bar} style={{ width: `${100 * share}%` }} />}
        {children}
      </div>
      <span className={styles.value}>{told}</span>
    </li>
  );
}

function Label({ bar }: { bar: Bar }) {
  if (bar.to === undefined)
    return (
      <span className={styles.label} title={bar.label}>
        <bdi>{bar.label}</bdi>
      </span>
    );
  return (
    <Link className={styles.label} to={bar.to} search={bar.search ?? {}} title={bar.label}>
      <bdi>{bar.label}</bdi>
    </Link>
  );
}
