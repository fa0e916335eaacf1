import { useState } from "react";
import { useEndGrant, useGrants } from "@/api/planOfUser";
import type { Grant } from "@/api/types";
import { AskFirst } from "@/shared/AskFirst";
import { IconTrash } from "@/shared/icons";
import { RowAction, RowActions } from "@/shared/RowActions";
import type { Column } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { ExceptionsPanel } from "./ExceptionsPanel";
import { GrantDialog } from "./GrantDialog";
import styles from "./plan.module.css";
import { stateOfGrant } from "./states";
import { amountOf, unitsOfGrant } from "./units";
import { untilOf } from "./until";

type Doing = "add" | Grant | null;

/** What a user may use beyond the month's allowance. */
export function Grants({ userId }: { userId: string }) {
  const grants = useGrants(userId);
  const [doing, setDoing] = useState<Doing>(null);
  const close = () => setDoing(null);
  return (
    <>
      <ExceptionsPanel
        title="Grants"
        note="used up after the month's allowance"
        query={grants}
        stateOf={stateOfGrant}
        what={WHAT}
        more={MORE}
        actions={(grant) => (
          <RowActions>
            <RowAction
              does="End it"
              label={`End the grant of ${unitsOfGrant(grant)}`}
              onClick={() => setDoing(grant)}
            >
              <IconTrash />
            </RowAction>
          </RowActions>
        )}
        empty={{
          title: "Nothing is granted",
          about:
            "Requests, tokens or money beyond the plan: as an apology, a gift, or because they were bought.",
        }}
        addLabel="Grant units"
        onAdd={() => setDoing("add")}
      />
      {doing === "add" && <GrantDialog userId={userId} onClose={close} />}
      {doing !== null && doing !== "add" && <EndGrant userId={userId} grant={doing} onClose={close} />}
    </>
  );
}

const WHAT: Column<Grant> = {
  label: "Grant",
  kind: "wide",
  title: ({ reason }) => reason,
  of: (grant) => (
    <div className={styles.what}>
      <p>
        <strong>{unitsOfGrant(grant)}</strong>
      </p>
      <p className={styles.about}>
        {grant.source === "rollover" ? "Left unused by the month before" : grant.reason}
      </p>
    </div>
  ),
};

const MORE: Column<Grant>[] = [
  {
    label: "Used",
    kind: "number",
    unit: "used",
    of: ({ unit, burned }) => amountOf(unit, burned),
  },
  {
    label: "Priority",
    kind: "number",
    before: "priority",
    isSoft: true,
    isNone: ({ priority }) => priority === 0,
    of: ({ priority }) => String(priority),
  },
  untilOf(({ expiresAt, endedAt }) => endedAt ?? expiresAt),
  {
    label: "Given",
    isSoft: true,
    isExtra: true,
    isNone: true,
    of: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

interface EndGrantProps {
  userId: string;
  grant: Grant;
  onClose: () => void;
}

function EndGrant({ userId, grant, onClose }: EndGrantProps) {
  const end = useEndGrant(userId, grant.id);
  const left = amountOf(grant.unit, grant.amount - grant.burned);
  return (
    <AskFirst title={`End the grant of ${unitsOfGrant(grant)}?`} verb="End it" act={end} onClose={onClose}>
      <p>
        What of it is used stays used. What is left, {left} by now, goes, and the month's limit is lower by as
        much at once.
      </p>
    </AskFirst>
  );
}
