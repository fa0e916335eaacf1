import { Skeleton } from "@mantine/core";
import type { Overview } from "@/api/types";
import { count } from "@/shared/format";
import { Panel } from "@/shared/Panel";
import styles from "./overview.module.css";

const HEIGHT = 64;

const NOT_YET = { startsPerMinute: null, finishesPerMinute: null, pending: null, series: [] };

/** The last minute, second by second; without numbers its outline. */
export function LivePanel({ live = NOT_YET }: { live?: Overview["live"] | typeof NOT_YET }) {
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

function Figure({ label, value }: { label: string; value: number | null }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value === null ? <Skeleton height={20} width={40} my={5} /> : count(value)}</dd>
    </div>
  );
}
