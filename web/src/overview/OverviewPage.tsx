import { useAccount } from "@/api/account";
import { useDashboard } from "@/api/dashboard";
import { headOf } from "@/places";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { PeriodChoice } from "@/shared/PeriodChoice";
import { useDays } from "@/shared/period";
import { UsageSection } from "@/usage/UsageSection";
import { Begin } from "./Begin";
import { LimitMeters, LimitMetersSkeleton } from "./LimitMeters";
import { NewestRequests } from "./NewestRequests";
import styles from "./overview.module.css";
import { Refusal } from "./Refusal";
import { isRefused } from "./reached";

/** One's own usage at a glance. */
export function OverviewPage() {
  const dashboard = useDashboard();
  const account = useAccount().data;
  const [days, setDays] = useDays();
  const isNew = dashboard.data?.metrics.totalRequests === 0;
  return (
    <>
      <PageHeader {...headOf("/")}>{!isNew && <PeriodChoice days={days} onChange={setDays} />}</PageHeader>
      <div className={styles.stack}>
        <Loaded query={dashboard} skeleton={<LimitMetersSkeleton />}>
          {({ limits }) => (
            <>
              {isRefused(limits) && <Refusal limits={limits} />}
              <LimitMeters limits={limits} />
            </>
          )}
        </Loaded>
        {isNew ? (
          <Begin />
        ) : (
          <>
            <UsageSection
              whose="own"
              days={days}
              timeZone={account?.timeZone ?? "UTC"}
              isLinked
              pending={dashboard.data?.metrics.pendingRequests ?? 0}
            />
            {dashboard.data !== undefined && <NewestRequests requests={dashboard.data.recentRequests} />}
          </>
        )}
      </div>
    </>
  );
}
