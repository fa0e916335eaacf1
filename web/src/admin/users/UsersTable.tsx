import { Link } from "@tanstack/react-router";
import type { UsersAsked } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { Tag } from "@/shared/badges";
import { briefMoney, compact, costOf, count, isUnknown, NONE, plural, withoutPrice } from "@/shared/format";
import { IconDown, IconUp } from "@/shared/icons";
import { planTitle } from "@/shared/planTitle";
import { type Column, Table } from "@/shared/Table";
import table from "@/shared/Table.module.css";
import { TimeAgo } from "@/shared/TimeAgo";
import { dateOf, exactTime } from "@/shared/times";
import { apart } from "@/shared/visible";
import styles from "./users.module.css";

interface SortProps {
  search: UsersAsked;
  ask: (changes: UsersAsked) => void;
}

/** Users, one a row; the headings sort. */
export function UsersTable({ users, search, ask }: SortProps & { users: DirectoryEntry[] }) {
  return <Table rows={users} columns={columns({ search, ask })} keyOf={({ id }) => id} />;
}

function columns(sorting: SortProps): Column<DirectoryEntry>[] {
  return [
    {
      ...sortedBy("email", "User", sorting),
      kind: "wide",
      // The link lies over the whole row: this is said on a hover over the plan, too, which may be cut.
      title: ({ id, email, name, plan }) =>
        [email ?? id, apart(name ?? ""), planTitle(plan)].filter(Boolean).join(" "),
      of: (user) => <Name of={user} />,
    },
    { label: "Plan", of: (user) => <Marks of={user} /> },
    {
      label: "This month",
      kind: "number",
      unit: "this month",
      of: ({ requestsThisMonth, monthlyLimit }) => (
        <>
          {count(requestsThisMonth)}
          {monthlyLimit != null && <span className={styles.soft}> / {compact(monthlyLimit)}</span>}
        </>
      ),
    },
    {
      ...sortedBy("requests", "All requests", sorting),
      kind: "number",
      unit: ({ totalRequests }) => plural(totalRequests, "request"),
      of: ({ totalRequests }) => count(totalRequests),
    },
    {
      ...sortedBy("tokensUsed", "Tokens", sorting),
      kind: "number",
      isExtra: true,
      unit: ({ totalTokensUsed }) => plural(totalTokensUsed, "token"),
      title: ({ totalTokensUsed }) => count(totalTokensUsed),
      of: ({ totalTokensUsed }) => compact(totalTokensUsed),
    },
    {
      ...sortedBy("cost", "Cost", sorting),
      kind: "number",
      isNone: ({ totalCost, unpricedRequests }) => isUnknown(totalCost, unpricedRequests),
      title: ({ totalCost, unpricedRequests }) =>
        [costOf(totalCost, unpricedRequests), withoutPrice(unpricedRequests)].filter(Boolean).join(", "),
      of: ({ totalCost, unpricedRequests }) => costOf(totalCost, unpricedRequests, briefMoney),
    },
    {
      ...sortedBy("lastActiveAt", "Last active", sorting),
      kind: "number",
      isSoft: true,
      of: ({ lastActiveAt }) => (lastActiveAt == null ? NONE : <TimeAgo at={lastActiveAt} />),
    },
    {
      ...sortedBy("createdAt", "Since", sorting),
      kind: "number",
      isExtra: true,
      isSoft: true,
      isNone: true,
      title: ({ createdAt }) => exactTime(createdAt),
      of: ({ createdAt }) => dateOf(createdAt),
    },
  ];
}

/** A heading that sorts; pressed again it turns the order. */
function sortedBy(by: string, label: string, { search, ask }: SortProps) {
  const isSorted = (search.sort ?? "createdAt") === by;
  const order = search.order ?? (by === "email" ? "asc" : "desc");
  const turned = isSorted ? (order === "asc" ? "desc" : "asc") : "";
  const heading = (
    <button type="button" className={styles.sort} onClick={() => ask({ sort: by, order: turned })}>
      {label}
      {isSorted && (order === "asc" ? <IconUp size={12} /> : <IconDown size={12} />)}
    </button>
  );
  const sorted = !isSorted ? "none" : order === "asc" ? "ascending" : "descending";
  return { label, heading, sorted } as const;
}

function Name({ of: { id, email, name } }: { of: DirectoryEntry }) {
  return (
    <Link className={table.whole} to="/admin/users/$user" params={{ user: id }}>
      <bdi>{email ?? id}</bdi>
      {name != null && <bdi className={styles.soft}> {name}</bdi>}
    </Link>
  );
}

function Marks({ of: { plan, role, isActive } }: { of: DirectoryEntry }) {
  return (
    <>
      <span className={styles.plan}>
        <Tag>{planTitle(plan)}</Tag>
      </span>{" "}
      {role === "admin" && <Tag tone="accent">operator</Tag>}{" "}
      {!isActive && <Tag tone="warn">switched off</Tag>}
    </>
  );
}
