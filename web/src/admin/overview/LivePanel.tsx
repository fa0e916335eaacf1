import type { Overview } from "@/api/types";
import { count } from "@/shared/format";
import { Panel } from "@/shared/Panel";
import styles from "./overview.module.css";

const HEIGHT = 64;

/** The last minute, second by second. */
export function LivePanel({ live }: Pick<Overview, "live">) {
  const most = Math.max(1, ...live.series.map(({ starts }) => starts));
  return (
    <Panel title="Right now">
      <div className={styles.live}>
        <dl>
          <Figure label="started in the last minute" value={live.startsPerMinute} />
          <Figure label="finished in the last minute" value={live.finishesPerMinute} />
          <Figure label="pending" value={live.pending} />
        </dl>
        <svg
          className={styles.pulse}
          viewBox={`0 0 ${live.series.length * 6} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Requests started in each of the last ${live.series.length} seconds, at most ${count(most)}`}
        >
          {live.series.map(({ at, starts }, place) => {
            const height = starts === 0 ? 1 : Math.max(3, (HEIGHT * starts) / most);
            return (
              <rect
                key={at}
                x={place * 6 + 1}
                y={HEIGHT - height}
                width="4"
                height={height}
                data-none={starts === 0}
              />
            );
          })}
        </svg>
      </div>
    </Panel>
  );
}

function Figure({ label, value }: { label: string; value: number }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{count(value)}</dd>
    </div>
  );
}
