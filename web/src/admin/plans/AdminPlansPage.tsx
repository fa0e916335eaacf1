import { Button } from "@mantine/core";
import { useState } from "react";
import { usePlansWithUsers } from "@/api/catalogue";
import type { TermsWithUsers } from "@/api/types";
import { headOf } from "@/places";
import { PlanComparison } from "@/plan/PlanComparison";
import { count, plural } from "@/shared/format";
import { IconPlus } from "@/shared/icons";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { planTitle } from "@/shared/planTitle";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { MigrateDialog } from "./MigrateDialog";
import { PlanCards } from "./PlanCards";
import { PlanEditor } from "./PlanEditor";
import styles from "./plans.module.css";
import { moreTerms } from "./words";

type Doing = { what: "add" } | { what: "change" | "move"; plan: TermsWithUsers } | null;

/** The catalogue: how many are on each plan, changing it, and moving who is on older terms. */
export function AdminPlansPage() {
  const plans = usePlansWithUsers();
  const [doing, setDoing] = useState<Doing>(null);
  const close = () => setDoing(null);
  const found = plans.data ?? [];
  return (
    <>
      <PageHeader {...headOf("/admin/plans")} tab="Plans of all">
        <Button size="xs" leftSection={<IconPlus size={14} />} onClick={() => setDoing({ what: "add" })}>
          New plan
        </Button>
      </PageHeader>
      <div className={styles.stack}>
        <Loaded query={plans} skeleton={<SkeletonRows rows={8} />}>
          {(all) => (
            <>
              <PlanCards plans={all} />
              <Panel title="Their terms" flush>
                <PlanComparison
                  plans={all}
                  more={moreTerms(all)}
                  action={(plan) => <Actions of={plan} act={setDoing} />}
                />
              </Panel>
              <p className={styles.soft}>
                The catalogue can be kept as a file, too: <code>tollkeeper plan apply plans.toml</code>
              </p>
            </>
          )}
        </Loaded>
      </div>
      {doing?.what === "add" && <PlanEditor plan={undefined} plans={found} onClose={close} />}
      {doing?.what === "change" && <PlanEditor plan={doing.plan} plans={found} onClose={close} />}
      {doing?.what === "move" && <MigrateDialog plan={doing.plan} plans={found} onClose={close} />}
    </>
  );
}

interface ActionsProps {
  of: TermsWithUsers;
  act: (doing: Doing) => void;
}

function Actions({ of: plan, act }: ActionsProps) {
  const move = plan.outdatedUsers > 0 ? `Move ${count(plan.outdatedUsers)}` : "Move";
  return (
    <span className={styles.actions}>
      <Button
        size="compact-sm"
        variant="default"
        aria-label={`Change ${planTitle(plan.name)}`}
        onClick={() => act({ what: "change", plan })}
      >
        Change
      </Button>
      {plan.users > 0 && (
        <Button
          size="compact-sm"
          variant="default"
          aria-label={`${move} ${plan.outdatedUsers > 0 ? plural(plan.outdatedUsers, "user") : "users"} of ${planTitle(plan.name)}`}
          onClick={() => act({ what: "move", plan })}
        >
          {move}
        </Button>
      )}
    </span>
  );
}
