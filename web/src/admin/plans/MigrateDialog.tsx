import { Select } from "@mantine/core";
import { useState } from "react";
import { useMigrate, useMigration } from "@/api/catalogue";
import type { TermsWithUsers } from "@/api/types";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { count, counted } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { planTitle } from "@/shared/planTitle";
import { SkeletonRows } from "@/shared/SkeletonRows";
import shared from "@/shared/shared.module.css";
import { Changes } from "./Changes";
import styles from "./plans.module.css";

interface MigrateDialogProps {
  plan: TermsWithUsers;
  plans: TermsWithUsers[];
  onClose: () => void;
}

const users = (many: number): string => counted(many, "user");

/** Moves the users of a plan to the terms that the catalogue has now; first it shows whom, and what changes for them. */
export function MigrateDialog({ plan, plans, onClose }: MigrateDialogProps) {
  const [to, setTo] = useState(plan.name);
  const [moved, setMoved] = useState(0);
  const migrate = useMigrate(plan.name, to, setMoved);
  const migration = useMigration(plan.name, to, !migrate.isIdle);
  const versions = migration.data?.versions ?? [];
  const all = versions.reduce((sum, each) => sum + each.users, 0);
  const target = plans.find(({ name }) => name === to) ?? plan;
  return (
    <Dialog title={`Move the users of ${planTitle(plan.name)}`} size="lg" onClose={onClose}>
      <div className={dialog.fields}>
        <p className={shared.soft}>
          When their plan ends, what follows and how they pay stays as it was. What they have used stays used.
        </p>
        <Select
          label="To"
          data={plans.map(({ name, version }) => ({
            value: name,
            label: planTitle(name) + (name === plan.name ? ` as it is now (version ${version})` : ""),
          }))}
          allowDeselect={false}
          disabled={!migrate.isIdle}
          value={to}
          onChange={(chosen) => setTo(chosen ?? to)}
        />
        {migrate.isIdle && (
          <Loaded query={migration} skeleton={<SkeletonRows rows={2} />}>
            {(found) => (
              <div className={styles.versions}>
                {found.versions.length === 0 && <p>Nobody has other terms than {planTitle(to)} has now.</p>}
                {found.versions.map((each) => (
                  <Changes
                    key={each.version}
                    title={`Version ${each.version}: ${users(each.users)}`}
                    changes={each.changes}
                    currency={target.currency}
                  />
                ))}
              </div>
            )}
          </Loaded>
        )}
        <p role="status">
          {migrate.isPending && `${count(moved)} of ${users(all)} moved …`}
          {migrate.isSuccess && `Done: ${users(moved)} moved to ${planTitle(to)}.`}
        </p>
      </div>
      {migrate.error !== null && <ErrorState problem={migrate.error} />}
      <div className={dialog.buttons}>
        {migrate.isSuccess ? (
          <Button size="xs" data-autofocus onClick={onClose}>
            Done
          </Button>
        ) : (
          <>
            <Button
              size="xs"
              disabled={all === 0}
              loading={migrate.isPending}
              onClick={() => migrate.mutate()}
            >
              {all === 0 ? "Move" : `Move ${users(all)}`}
            </Button>
            <Button variant="default" size="xs" onClick={onClose}>
              Cancel
            </Button>
          </>
        )}
      </div>
    </Dialog>
  );
}
