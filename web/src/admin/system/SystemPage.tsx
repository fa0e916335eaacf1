import { useSystem } from "@/api/admin";
import type { System } from "@/api/types";
import { headOf } from "@/places";
import { OkBadge } from "@/shared/badges";
import { bytes, count, counted, duration, NONE, plural } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { Stat, Stats } from "@/shared/Stat";
import { TimeAgo } from "@/shared/TimeAgo";
import { dateInUtc, dateOf } from "@/shared/times";
import { Rows } from "./Rows";
import styles from "./system.module.css";

/** How the service and its database stand. */
export function SystemPage() {
  const system = useSystem();
  return (
    <>
      <PageHeader {...headOf("/admin/system")} />
      <Loaded query={system} skeleton={<SkeletonRows rows={12} />}>
        {(found) => (
          <div className={styles.stack}>
            <Summary system={found} />
            <div className={styles.pair}>
              <Verification last={found.lastVerify} />
              <Retention retention={found.retention} />
            </div>
            <Lists system={found} />
          </div>
        )}
      </Loaded>
    </>
  );
}

function Summary({ system: { version, startedAt, database, nodes, lanes } }: { system: System }) {
  const waiting = lanes.starts.waiting + lanes.finishes.waiting;
  return (
    <Stats>
      <Stat
        label="Version"
        value={version}
        note={
          startedAt != null && (
            <>
              started <TimeAgo at={startedAt} />
            </>
          )
        }
      />
      <Stat
        label="Database"
        value={bytes(database.sizeBytes)}
        note={
          <>
            PostgreSQL {database.version.split(" ")[0]}, {database.embedded ? "embedded" : "your own"}
            <Room of={database} />
          </>
        }
      />
      <Stat label="Connections" value={count(database.connections)} note="to the database" />
      <Stat label="Nodes" value={count(nodes.length)} note="serving now" />
      <Stat label="Waiting" value={count(waiting)} note="for their verdict, on this node" />
      <Stat
        label="Decided"
        value={count(lanes.starts.decided + lanes.finishes.decided)}
        note={`in ${counted(lanes.starts.sets + lanes.finishes.sets, "set")}, on this node`}
      />
    </Stats>
  );
}

/** What is left on the disk of the PostgreSQL that came along. */
function Room({ of: { freeBytes, reserveBytes } }: { of: System["database"] }) {
  if (freeBytes === null || reserveBytes === null) return null;
  const isScarce = freeBytes < reserveBytes;
  return (
    <div className={isScarce ? styles.scarce : undefined}>
      {bytes(freeBytes)} free{isScarce && `, of ${bytes(reserveBytes)} to keep: nothing new is taken in`}
    </div>
  );
}

function Verification({ last }: { last: System["lastVerify"] }) {
  return (
    <Panel title="Last verification">
      {last === null ? (
        <p className={styles.soft}>
          Never yet. It recomputes every number from the requests, by itself or by{" "}
          <code>tollkeeper verify</code>.
        </p>
      ) : (
        <div className={styles.found}>
          {last.ok && <OkBadge ok>Every number agrees</OkBadge>}
          {last.differences > 0 && <Disagreeing many={last.differences} />}
          {last.unreadable > 0 && <Unreadable many={last.unreadable} />}
          <p className={styles.soft}>
            <TimeAgo at={last.at} />, in {duration(1_000 * last.seconds)}
          </p>
        </div>
      )}
    </Panel>
  );
}

function Disagreeing({ many }: { many: number }) {
  return (
    <div>
      <OkBadge ok={false}>{`${counted(many, "number")} ${many === 1 ? "disagrees" : "disagree"}`}</OkBadge>
      <p className={styles.soft}>
        The requests say otherwise. <code>tollkeeper verify</code> names each.
      </p>
    </div>
  );
}

/** What is damaged on the disk. */
function Unreadable({ many }: { many: number }) {
  return (
    <div>
      <OkBadge ok={false}>{`${counted(many, "user")} or ${plural(many, "month")} cannot be read`}</OkBadge>
      <p className={styles.soft}>
        The disk does not give back their requests, so nothing is proved of them. The log names the file;
        restore the latest backup.
      </p>
    </div>
  );
}

function Retention({ retention }: { retention: System["retention"] }) {
  const { rowsDays, textDays, rowsFrom, textsFrom } = retention;
  const kept = (days: number | null) => (days === null ? "for ever" : `for ${counted(days, "day")}`);
  const since = (at: string | null) => (at === null ? "" : `; there are some since ${dateOf(at)}`);
  return (
    <Panel title="Kept">
      <p>
        Requests are kept {kept(rowsDays)}
        {since(rowsFrom)}. Their texts are kept {kept(textDays)}
        {since(textsFrom)}.
      </p>
    </Panel>
  );
}

function Lists({ system: { nodes, tables, partitions } }: { system: System }) {
  return (
    <>
      <Rows
        title="Nodes"
        rows={nodes}
        keyOf={(node) => node.id}
        columns={[
          { label: "Host", of: (node) => node.host },
          { label: "Process", of: (node) => node.pid, kind: "number" },
          { label: "Version", of: (node) => node.version, kind: "number" },
          { label: "Started", of: (node) => <TimeAgo at={node.startedAt} />, kind: "number", isExtra: true },
          { label: "Last seen", of: (node) => <TimeAgo at={node.seenAt} />, kind: "number" },
        ]}
      />
      <Rows
        title="Partitions"
        note="months of requests"
        rows={partitions}
        keyOf={(partition) => partition.name}
        columns={[
          { label: "Name", of: (partition) => <code>{partition.name}</code> },
          {
            label: "From",
            of: ({ from }) => (from === null ? NONE : dateInUtc(from)),
            kind: "number",
            isExtra: true,
          },
          {
            label: "To",
            of: ({ to }) => (to === null ? NONE : dateInUtc(to)),
            kind: "number",
            isExtra: true,
          },
          { label: "Rows", of: ({ rows }) => count(rows), kind: "number" },
          { label: "Size", of: ({ sizeBytes }) => bytes(sizeBytes), kind: "number" },
        ]}
      />
      <Rows
        title="Tables"
        note="with their indexes; rows are an estimate"
        rows={tables}
        keyOf={(table) => table.name}
        columns={[
          { label: "Name", of: (table) => <code>{table.name}</code> },
          { label: "Rows", of: ({ rows }) => count(rows), kind: "number" },
          { label: "Size", of: ({ sizeBytes }) => bytes(sizeBytes), kind: "number" },
        ]}
      />
    </>
  );
}
