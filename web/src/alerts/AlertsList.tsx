import { Select } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { AlertsAsked, AnyAlert, useAlerts, Whose } from "@/api/alerts";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { AlertRows } from "./AlertRows";
import styles from "./alerts.module.css";
import { isKind, KINDS } from "./asked";

interface AlertsListProps {
  whose: Whose;
  asked: AlertsAsked;
  alerts: ReturnType<typeof useAlerts>;
  isNew?: (alert: AnyAlert) => boolean;
  /** What will stand here, where nothing does yet. */
  empty: ReactNode;
}

/** What was told, newest first; of which kind stands in the address. */
export function AlertsList({ whose, asked, alerts, isNew = () => false, empty }: AlertsListProps) {
  return (
    <section aria-label="Alerts">
      <KindFilter asked={asked} />
      <Panel flush>
        <Loaded query={alerts} skeleton={<SkeletonRows rows={8} />}>
          {({ pages }) => {
            const items = pages.flatMap((page) => page.items);
            if (items.length > 0) return <AlertRows whose={whose} alerts={items} isNew={isNew} />;
            return asked.kind === undefined ? (
              empty
            ) : (
              <EmptyState title="Nothing of the kind was told">Look for another kind, or for all.</EmptyState>
            );
          }}
        </Loaded>
        <MoreRows {...alerts} />
      </Panel>
    </section>
  );
}

function KindFilter({ asked }: { asked: AlertsAsked }) {
  const navigate = useNavigate();
  const ask = (kind: string | null) =>
    void navigate({ to: ".", search: (isKind(kind) ? { kind } : {}) as never, resetScroll: false });
  return (
    <search className={styles.filter} aria-label="Filters">
      <Select
        size="xs"
        aria-label="Kind"
        placeholder="All kinds"
        clearable
        data={Object.entries(KINDS).map(([value, label]) => ({ value, label }))}
        value={asked.kind ?? null}
        onChange={ask}
      />
    </search>
  );
}
