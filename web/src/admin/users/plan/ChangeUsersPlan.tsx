import { SegmentedControl, Select } from "@mantine/core";
import { useState } from "react";
import { usePlans } from "@/api/plans";
import type { DirectoryEntry, OwnPlan } from "@/api/types";
import { ChangeForm } from "@/plan/ChangeForm";
import { Dialog } from "@/shared/Dialog";
import { planTitle } from "@/shared/planTitle";
import shared from "@/shared/shared.module.css";
import { GiveForm } from "./GiveForm";
import styles from "./plan.module.css";

const WAYS = [
  { value: "rules", label: "By the rules" },
  { value: "given", label: "At once, until a day" },
];

interface ChangeUsersPlanProps {
  user: DirectoryEntry;
  own: OwnPlan;
  onClose: () => void;
}

/** Which plan a user is to have, and how they come to it. */
export function ChangeUsersPlan({ user, own, onClose }: ChangeUsersPlanProps) {
  const { name: ownName, billingCycle, nextPlan } = own.plan;
  const plans = usePlans().data ?? [];
  const [name, setName] = useState<string | null>(null);
  const [way, setWay] = useState("rules");
  const plan = plans.find((each) => each.name === name);
  const isOwn = name === ownName;
  return (
    <Dialog title="Change the plan" onClose={onClose}>
      <div className={styles.choice}>
        <Select
          label="Plan"
          placeholder="Choose a plan"
          data-autofocus
          data={plans.map((each) => ({
            value: each.name,
            label: planTitle(each.name) + (each.name === ownName ? " (now)" : ""),
          }))}
          allowDeselect={false}
          value={name}
          onChange={setName}
        />
        {plan !== undefined && (
          <>
            <SegmentedControl
              aria-label="How they come to it"
              size="xs"
              data={WAYS}
              value={way}
              onChange={setWay}
            />
            <p className={shared.soft}>
              {way === "rules"
                ? "Up at once, down when the paid period ends; a plan may be tried once."
                : "Whatever is paid or arranged; when the day is over they are on Free."}
            </p>
          </>
        )}
      </div>
      {plan !== undefined &&
        (way === "rules" ? (
          <ChangeForm
            key={plan.name}
            own={own}
            plan={isOwn ? { ...plan, billingCycle } : plan}
            isKept={isOwn && nextPlan !== null}
            userId={user.id}
            onClose={onClose}
          />
        ) : (
          <GiveForm key={plan.name} userId={user.id} plan={plan.name} onClose={onClose} />
        ))}
    </Dialog>
  );
}
