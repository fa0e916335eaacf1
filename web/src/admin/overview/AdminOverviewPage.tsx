import { useOverview } from "@/api/admin";
import { headOf } from "@/places";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { PeriodChoice } from "@/shared/PeriodChoice";
import { useDays } from "@/shared/period";
import { UsageSection } from "@/usage/UsageSection";
import { LivePanel } from "./LivePanel";
import styles from "./overview.module.css";
import { TodayOutline, TodayStats } from "./TodayStats";
import { TopUsers } from "./TopUsers";

/** Everybody's usage: now, today, and over time. */
export function AdminOverviewPage() {
  const overview = useOverview();
  const [days, setDays] = useDays();
  return (
    <>
      <PageHeader {...headOf("/admin")}>
        <PeriodChoice days={days} onChange={setDays} />
      </PageHeader>
      <div className={styles.stack}>
        <Loaded query={overview} skeleton={<Outline />}>
          {(found) => (
            <div className={styles.now}>
              <LivePanel live={found.live} />
              <TodayStats overview={found} />
            </div>
          )}
        </Loaded>
        <UsageSection whose="all" days={days} timeZone="UTC" second="plan" />
        <TopUsers days={days} />
      </div>
    </>
  );
}

function Outline() {
  return (
    <div className={styles.now}>
      <LivePanel />
      <TodayOutline />
    </div>
  );
}
