import type { Delivery } from "@/api/types";
import { count, duration, NONE } from "@/shared/format";
import { IconRotate } from "@/shared/icons";
import { RowAction, RowActions } from "@/shared/RowActions";
import badges from "@/shared/shared.module.css";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { exactTime } from "@/shared/times";
import styles from "./webhooks.module.css";
import { outcomeOf, STATES } from "./words";

interface DeliveriesTableProps {
  deliveries: Delivery[];
  /** Not while the endpoint is off: nothing would be sent. */
  replay: ((id: string) => void) | null;
}

/** Deliveries, one a row, each with its last tries. */
export function DeliveriesTable({ deliveries, replay }: DeliveriesTableProps) {
  return <Table rows={deliveries} columns={columns(replay)} keyOf={({ id }) => id} isLong />;
}

const columns = (replay: DeliveriesTableProps["replay"]): Column<Delivery>[] => [
  {
    label: "Event",
    kind: "wide",
    title: ({ messageId }) => messageId,
    of: ({ kind, email, userId }) => (
      <div className={styles.event}>
        <strong>{kind}</strong> <span>{email ?? userId}</span>
      </div>
    ),
  },
  {
    label: "State",
    of: ({ state }) => (
      <span className={badges.badge} data-tone={STATES[state].tone}>
        {STATES[state].word}
      </span>
    ),
  },
  {
    label: "Tries",
    of: (delivery) => <Attempts of={delivery} />,
    isNone: ({ attempts }) => !attempts.length,
  },
  {
    label: "Next try",
    isSoft: true,
    before: "next",
    isNone: ({ dueAt }) => dueAt === null,
    of: ({ dueAt }) => (dueAt === null ? NONE : <TimeAgo at={dueAt} />),
  },
  { label: "Happened", isSoft: true, of: ({ createdAt }) => <TimeAgo at={createdAt} /> },
  {
    label: "Actions",
    heading: <span className="visually-hidden">Actions</span>,
    of: ({ id, kind }) =>
      replay !== null && (
        <RowActions>
          <RowAction does="Deliver once more" label={`Deliver ${kind} once more`} onClick={() => replay(id)}>
            <IconRotate />
          </RowAction>
        </RowActions>
      ),
  },
];

/** The last tries: how the last one went, the others on demand. */
function Attempts({ of: { attempts, tries } }: { of: Delivery }) {
  const last = attempts.at(-1);
  if (last === undefined) return NONE;
  return (
    <details className={styles.attempts}>
      <summary title={outcomeOf(last)}>
        {count(Math.max(tries, attempts.length))}: {outcomeOf(last)}
      </summary>
      <ol>
        {attempts.toReversed().map((attempt) => (
          <li key={attempt.at}>
            {exactTime(attempt.at)}: {outcomeOf(attempt)}, {duration(attempt.durationMs)}
          </li>
        ))}
      </ol>
    </details>
  );
}
