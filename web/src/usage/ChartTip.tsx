import styles from "./usage.module.css";

interface ChartTipProps {
  row: Record<string, unknown> | undefined;
  series: readonly { name: string; label: string; color: string }[];
  write: (value: number | null) => string;
}

/** What a chart says of where one points: when, how much of all, what of it, and what is to be known besides. */
export function ChartTip({ row, series, write }: ChartTipProps) {
  if (row === undefined) return null;
  const { title, start, total, note } = row;
  const parts = total === undefined || series.length > 1 ? series : [];
  return (
    <div className={styles.tip}>
      <p className={styles.soft}>{String(title ?? start)}</p>
      {total !== undefined && <p className={styles.total}>{String(total)}</p>}
      {parts.length > 0 && (
        <dl>
          {parts.map(({ name, label, color }) => (
            <div key={name}>
              <dt>
                <i style={{ background: color }} />
                {label}
              </dt>
              <dd>{write(row[name] as number | null)}</dd>
            </div>
          ))}
        </dl>
      )}
      {note !== undefined && <p className={styles.soft}>{String(note)}</p>}
    </div>
  );
}
