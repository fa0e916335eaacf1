import { Button } from "@mantine/core";
import { useState } from "react";
import { useOverrides, usePlanOf } from "@/api/planOfUser";
import type { DirectoryEntry, Override, OwnPlan } from "@/api/types";
import { PlanSummary, SummaryOutline } from "@/plan/PlanSummary";
import { Loaded } from "@/shared/Loaded";
import { useNow } from "@/shared/now";
import { Panel } from "@/shared/Panel";
import { TimeAgo } from "@/shared/TimeAgo";
import { ChangeUsersPlan } from "./ChangeUsersPlan";
import styles from "./plan.module.css";
import { stateOfOverride } from "./states";

/** What a user's plan allows, until when, and what of it is used. */
export function UsersPlan({ user }: { user: DirectoryEntry }) {
  const own = usePlanOf(user.id);
  const overrides = useOverrides(user.id).data ?? [];
  const tokens = tokensInForce(overrides, useNow());
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
            <PlanSummary of={found} title="On the plan" tokensARequest={tokens}>
              <Since plan={found.plan} />
            </PlanSummary>
            {isChanging && (
              <ChangeUsersPlan user={user} own={found.plan} onClose={() => setIsChanging(false)} />
            )}
          </>
        )}
      </Loaded>
    </Panel>
  );
}

/** What exceptions say of tokens a request: null is no limit, undefined is as the plan has it. */
function tokensInForce(overrides: Override[], now: number): number | null | undefined {
  const [newest] = overrides.filter(
    (each) => stateOfOverride(each, now) === "active" && each.limits.maxTokensPerRequest !== undefined,
  );
  return newest?.limits.maxTokensPerRequest;
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
            Ends <TimeAgo at={expiresAt} />, then {next === name ? `${name}, paid ${paid}` : next}
          </>
        )}
      </p>
    </>
  );
}
