import { Skeleton } from "@mantine/core";
import { useEffect } from "react";
import { useAnalytics, type Whose } from "@/api/analytics";
import type { Dimension } from "@/api/types";
import { ChartFrame } from "@/shared/ChartFrame";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { Panel } from "@/shared/Panel";
import { type Days, periodName } from "@/shared/period";
import { askedOf } from "./asked";
import { Breakdown } from "./Breakdown";
import { LatencyChart } from "./LatencyChart";
import type { Measure } from "./measure";
import { useMeasure } from "./shown";
import { UsageActions, UsageChart } from "./UsageChart";
import { UsageStats, UsageStatsSkeleton } from "./UsageStats";
import styles from "./usage.module.css";

interface UsageSectionProps {
  whose: Whose;
  days: Days;
  timeZone: string;
  /** What the second list is about. */
  second?: Extract<Dimension, "category" | "plan">;
  /** Whether the lists lead to the requests: one's own can be listed. */
  isLinked?: boolean;
  /** How many are under way, which no period counts yet. */
  pending?: number;
}

/** Usage of a period: the numbers, over time, by model and by what else, and how fast it was. */
export function UsageSection({
  whose,
  days,
  timeZone,
  second = "category",
  isLinked = false,
  pending = 0,
}: UsageSectionProps) {
  const [measure, setMeasure] = useMeasure();
  const than = `the ${periodName(days)} before`;
  const isHours = days === 1;
  const asked = askedOf(days, timeZone);
  // Of one user nothing but the model is known by the hour.
  const isSecondKnown = !isHours || whose === "all";
  const byModel = useAnalytics(whose, { ...asked, groupBy: "model" });
  useEffect(loadCharts, []);
  const bySecond = useAnalytics(whose, { ...asked, groupBy: second }, isSecondKnown);
  return (
    <div className={styles.stack}>
      <p className={styles.period}>
        <strong>Last {periodName(days)}</strong> compared with {than}
      </p>
      <Loaded query={byModel} skeleton={<UsageOutline measure={measure} />}>
        {(analytics) => (
          <div className={styles.stack}>
            <UsageStats totals={analytics.totals} before={analytics.before} than={than} pending={pending} />
            <UsageChart analytics={analytics} measure={measure} onMeasure={setMeasure} isLinked={isLinked} />
            <div className={styles.pair}>
              <Breakdown
                title="By model"
                query={byModel}
                measure={measure}
                dimension="model"
                isLinked={isLinked}
              />
              {isSecondKnown ? (
                <Breakdown
                  title={second === "plan" ? "By plan" : "By category"}
                  query={bySecond}
                  measure={measure}
                  dimension={second}
                  isLinked={isLinked}
                />
              ) : (
                <ByDayOnly />
              )}
            </div>
            <LatencyChart analytics={analytics} />
          </div>
        )}
      </Loaded>
    </div>
  );
}

/** Their code comes while the numbers are on their way. */
function loadCharts(): void {
  void import("./Bars");
  void import("./Lines");
}

function ByDayOnly() {
  return (
    <Panel title="By category">
      <EmptyState title="Kept by the day">
        Choose 7 days or more to see what the requests were about.
      </EmptyState>
    </Panel>
  );
}

/** Stands in for it, as high as it is where there is much. */
function UsageOutline({ measure }: { measure: Measure }) {
  const chart = { rows: [], columns: [], children: <Skeleton height="100%" /> };
  return (
    <div className={styles.stack}>
      <UsageStatsSkeleton />
      <ChartFrame
        title="Usage over time"
        actions={<UsageActions measure={measure} onMeasure={() => undefined} totals={undefined} />}
        {...chart}
      />
      <div className={styles.pair}>
        {[0, 1].map((each) => (
          <Panel key={each}>
            <Skeleton height={324} />
          </Panel>
        ))}
      </div>
      <ChartFrame title="Response time" {...chart} />
    </div>
  );
}
