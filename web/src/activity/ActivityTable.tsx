import { Link } from "@tanstack/react-router";
import type { AnyAct, Whose } from "@/api/activity";
import { NONE } from "@/shared/format";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { exactTime } from "@/shared/times";
import styles from "./activity.module.css";
import { moreOf, wordsOf } from "./words";

/** Acts, one a row. */
export function ActivityTable({ whose, acts }: { whose: Whose; acts: AnyAct[] }) {
  return (
    <Table
      rows={acts}
      columns={whose === "own" ? OWN : ALL}
      keyOf={({ id }) => id}
      className={styles.acts}
      {...(whose === "own" ? { label: "What was done" } : {})}
    />
  );
}

const WHAT: Column<AnyAct> = {
  label: "What",
  kind: "wide",
  title: (act) => [wordsOf(act), moreOf(act)].filter(Boolean).join(": "),
  of: (act) => (
    <span className={styles.what}>
      {wordsOf(act)} <bdi className={styles.more}>{moreOf(act)}</bdi>
    </span>
  ),
};
const WHERE: Column<AnyAct> = {
  label: "From where",
  isSoft: true,
  isNone: ({ ipAddress, userAgent }) => ipAddress === null && userAgent === null,
  title: ({ userAgent }) => userAgent ?? undefined,
  of: ({ device, ipAddress }) => [device, ipAddress].filter(Boolean).join(" · ") || NONE,
};
const WHEN: Column<AnyAct> = {
  label: "When",
  kind: "number",
  isSoft: true,
  title: ({ at }) => exactTime(at),
  of: ({ at }) => <TimeAgo at={at} />,
};

const OWN: Column<AnyAct>[] = [WHAT, { label: "Who", of: byWhom }, WHERE, WHEN];
const ALL: Column<AnyAct>[] = [
  WHAT,
  {
    label: "Whose account",
    title: ({ email, userId }) => email ?? userId ?? undefined,
    isNone: ({ userId }) => userId == null,
    of: (act) => <OfWhom act={act} />,
  },
  { label: "Who", title: (act) => by(act), of: (act) => <span className={styles.who}>{by(act)}</span> },
  { ...WHERE, isExtra: true },
  WHEN,
];

/** Who did it, to the one whose account it is. */
function byWhom({ actor }: AnyAct): string {
  if (actor.kind === "user") return "You";
  if (actor.kind === "key") return "An API key";
  return actor.kind === "operator" ? "An operator" : "The service itself";
}

/** Who did it, to operators. */
function by({ actor, userId }: AnyAct): string {
  const who = actor.email ?? actor.id ?? "";
  if (actor.kind === "operator") return "Command line";
  if (actor.kind === "key") return `Key ${who.slice(0, 8)}`;
  if (actor.kind === "job") return `Job ${who}`;
  if (actor.actingAs != null) return `${who}, acting as the user`;
  return actor.id === userId ? "Themselves" : actor.email === null ? "Somebody deleted" : who;
}

function OfWhom({ act: { userId, email } }: { act: AnyAct }) {
  if (userId == null) return <span className={styles.more}>{NONE}</span>;
  if (email == null) return <span className={styles.more}>Somebody deleted</span>;
  return (
    <Link className={styles.user} to="/admin/users/$user" params={{ user: userId }}>
      {email}
    </Link>
  );
}
