import styles from "./usage.module.css";

interface LegendProps {
  /** Which colour means what, and how much of it there was. */
  series: readonly { name: string; label: string; color: string; told: string }[];
}

/** What the colours of a chart mean. */
export function Legend({ series }: LegendProps) {
  return (
    <dl className={styles.legend}>
      {series.map(({ name, label, color, told }) => (
        <div key={name}>
          <dt>
            <i style={{ background: color }} />
            {label}
          </dt>
          <dd>{told}</dd>
        </div>
      ))}
    </dl>
  );
}
