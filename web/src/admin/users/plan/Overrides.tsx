import { useState } from "react";
import { LIMITS, limitWords } from "@/admin/limits";
import { useEndOverride, useOverrides } from "@/api/planOfUser";
import type { Override } from "@/api/types";
import { AskFirst } from "@/shared/AskFirst";
import { IconTrash } from "@/shared/icons";
import { RowAction, RowActions } from "@/shared/RowActions";
import type { Column } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { ExceptionsPanel } from "./ExceptionsPanel";
import { OverrideDialog } from "./OverrideDialog";
import styles from "./plan.module.css";
import { stateOfOverride } from "./states";
import { untilOf } from "./until";

type Doing = "add" | Override | null;

/** Limits of a user in place of their plan's. */
export function Overrides({ userId }: { userId: string }) {
  const overrides = useOverrides(userId);
  const [doing, setDoing] = useState<Doing>(null);
  const close = () => setDoing(null);
  return (
    <>
      <ExceptionsPanel
        title="Overrides"
        note="limits in place of the plan's; the newest counts"
        query={overrides}
        stateOf={stateOfOverride}
        what={WHAT}
        more={MORE}
        actions={(override) => (
          <RowActions>
            <RowAction
              does="End it"
              label={`End the override of ${wordsOf(override)}`}
              onClick={() => setDoing(override)}
            >
              <IconTrash />
            </RowAction>
          </RowActions>
        )}
        empty={{
          title: "No limit is overridden",
          about:
            "The plan's own limits hold. Give others for a time: for a launch, or to slow somebody down.",
        }}
        addLabel="Override limits"
        onAdd={() => setDoing("add")}
      />
      {doing === "add" && <OverrideDialog userId={userId} onClose={close} />}
      {doing !== null && doing !== "add" && <EndOverride userId={userId} override={doing} onClose={close} />}
    </>
  );
}

/** Requests a day: 500 · Tokens a month: no limit */
function wordsOf({ limits }: Override): string {
  const told = LIMITS.flatMap(({ name, label }) => {
    const limit = limits[name];
    return limit === undefined ? [] : [`${label}: ${limitWords(name, limit)}`];
  });
  return told.join(" · ");
}

const WHAT: Column<Override> = {
  label: "Override",
  kind: "wide",
  title: ({ reason }) => reason,
  of: (override) => (
    <div className={styles.what}>
      <p>
        <strong>{wordsOf(override)}</strong>
      </p>
      <p className={styles.about}>{override.reason}</p>
    </div>
  ),
};

const MORE: Column<Override>[] = [
  { label: "Since", isSoft: true, before: "since", of: ({ startsAt }) => <TimeAgo at={startsAt} /> },
  untilOf(({ endsAt, endedAt }) => endedAt ?? endsAt),
];

interface EndOverrideProps {
  userId: string;
  override: Override;
  onClose: () => void;
}

function EndOverride({ userId, override, onClose }: EndOverrideProps) {
  const end = useEndOverride(userId, override.id);
  return (
    <AskFirst title="End this override?" verb="End it" act={end} onClose={onClose}>
      <p>{wordsOf(override)}. The plan's own limit holds again at once, or that of an older override.</p>
    </AskFirst>
  );
}
