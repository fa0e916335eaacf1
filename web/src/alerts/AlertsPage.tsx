import { Button } from "@mantine/core";
import { Link, useSearch } from "@tanstack/react-router";
import { useAccount } from "@/api/account";
import { useAlerts } from "@/api/alerts";
import { useSettings } from "@/api/settings";
import { headOf } from "@/places";
import { EmptyState } from "@/shared/EmptyState";
import { percent } from "@/shared/format";
import { PageHeader } from "@/shared/PageHeader";
import { AlertsList } from "./AlertsList";
import { alertsAsked } from "./asked";
import { useNews } from "./useNews";

/** What one was told of one's plan and limits. */
export function AlertsPage() {
  const asked = alertsAsked(useSearch({ strict: false }));
  const alerts = useAlerts("own", asked);
  const account = useAccount().data;
  // What a filter leaves out is not shown, and an operator who acts as the user is not who is told.
  const mayNote = asked.kind === undefined && !alerts.isPlaceholderData && account?.actingAs === null;
  const isNew = useNews(alerts.data?.pages.flatMap(({ items }) => items) ?? [], mayNote);
  return (
    <>
      <PageHeader {...headOf("/alerts")}>
        <Button component={Link} to="/settings" variant="default" size="xs">
          Warnings and e-mails
        </Button>
      </PageHeader>
      <AlertsList whose="own" asked={asked} alerts={alerts} isNew={isNew} empty={<NothingYet />} />
    </>
  );
}

function NothingYet() {
  const settings = useSettings().data;
  const percents = [...(settings?.warnAt ?? settings?.planWarnAt ?? []), 100];
  const shares = [...new Set(percents)].map((each) => percent(each / 100));
  return (
    <EmptyState title="Nothing to tell yet">
      Here will stand when {new Intl.ListFormat("en", { type: "disjunction" }).format(shares)} of a limit is
      used, when your plan changes or is about to end, when a model has no price, and when a day costs far
      more than usual.
    </EmptyState>
  );
}
