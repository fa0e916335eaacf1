import { Skeleton } from "@mantine/core";
import { useOverview } from "@/api/admin";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { PeriodChoice } from "@/shared/PeriodChoice";
import { useDays } from "@/shared/period";
import { UsageSection } from "@/usage/UsageSection";
import { LivePanel } from "./LivePanel";
import styles from "./overview.module.css";
import { TodayStats } from "./TodayStats";
import { TopUsers } from "./TopUsers";

/** Everybody's usage: now, today, and over time. */
export function AdminOverviewPage() {
  const overview = useOverview();
  const [days, setDays] = useDays();
  return (
    <>
      <PageHeader title="All usage" about="Of all users. Days are days of UTC.">
        <PeriodChoice days={days} onChange={setDays} />
      </PageHeader>
      <div className={styles.stack}>
        <Loaded query={overview} skeleton={<Skeleton height={180} />}>
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
