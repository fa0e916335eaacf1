import { useSearch } from "@tanstack/react-router";
import { AlertsList } from "@/alerts/AlertsList";
import { alertsAsked } from "@/alerts/asked";
import { useAlerts } from "@/api/alerts";
import { headOf } from "@/places";
import { EmptyState } from "@/shared/EmptyState";
import { PageHeader } from "@/shared/PageHeader";

/** What all users were told of their plans and limits. */
export function AllAlertsPage() {
  const asked = alertsAsked(useSearch({ strict: false }));
  const alerts = useAlerts("all", asked);
  return (
    <>
      <PageHeader {...headOf("/admin/alerts")} />
      <AlertsList
        whose="all"
        asked={asked}
        alerts={alerts}
        empty={
          <EmptyState title="Nobody was told anything yet">
            Here will stand when somebody's limit is near or reached, when their plan changes or ends, when a
            model has no price, and when somebody's day costs far more than usual.
          </EmptyState>
        }
      />
    </>
  );
}
