import { Button } from "@mantine/core";
import { useState } from "react";
import { usePlanOf } from "@/api/planOfUser";
import type { DirectoryEntry, OwnPlan } from "@/api/types";
import { PlanSummary, SummaryOutline } from "@/plan/PlanSummary";
import { Loaded } from "@/shared/Loaded";
import { Panel } from "@/shared/Panel";
import { planTitle } from "@/shared/planTitle";
import { TimeAgo } from "@/shared/TimeAgo";
import { Ends } from "@/shared/Until";
import { ChangeUsersPlan } from "./ChangeUsersPlan";
import styles from "./plan.module.css";

/** What a user's plan allows, until when, and what of it is used. */
export function UsersPlan({ user }: { user: DirectoryEntry }) {
  const own = usePlanOf(user.id);
  const [isChanging, setIsChanging] = useState(false);
  return (
    <Panel
      title="Plan"
      actions={
        <Button size="xs" disabled={own.data === undefined} onClick={() => setIsChanging(true)}>
          Change plan …
        </Button>
      }
    >
      <Loaded query={own} skeleton={<SummaryOutline title="On the plan" />}>
        {(found) => (
          <>
            <PlanSummary of={found} title="On the plan">
              <Since plan={found.plan} />
            </PlanSummary>
            {isChanging && <ChangeUsersPlan user={user} own={found} onClose={() => setIsChanging(false)} />}
          </>
        )}
      </Loaded>
    </Panel>
  );
}

/** Stands in for it. */
export function PlanOutline() {
  return (
    <div aria-busy="true">
      <span className="visually-hidden">Loading …</span>
      <Panel title="Plan">
        <SummaryOutline title="On the plan" />
      </Panel>
    </div>
  );
}

function Since({ plan }: { plan: OwnPlan["plan"] }) {
  const { startsAt, expiresAt, nextPlan, nextBillingCycle, name, billingCycle, isTrial, version } = plan;
  const next = nextPlan ?? "free";
  const paid = nextBillingCycle ?? "monthly";
  return (
    <>
      <p className={styles.about}>
        Since <TimeAgo at={startsAt} />
        {!isTrial && billingCycle === "yearly" && ", paid by the year"} · version {version}
      </p>
      <p className={styles.about}>
        {expiresAt === null ? (
          "Without an end"
        ) : (
          <>
            <Ends at={expiresAt} />, then {planTitle(next)}
            {next === name && `, paid ${paid}`}
          </>
        )}
      </p>
    </>
  );
}
