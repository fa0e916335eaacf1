import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { UsersAsked } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { Tag } from "@/shared/badges";
import { compact, costOf, count, NONE, withoutPrice } from "@/shared/format";
import { IconDown, IconUp } from "@/shared/icons";
import table from "@/shared/Table.module.css";
import { TimeAgo } from "@/shared/TimeAgo";
import styles from "./users.module.css";

interface SortProps {
  search: UsersAsked;
  ask: (changes: UsersAsked) => void;
}

/** Users, one a row; the headings sort. */
export function UsersTable({ users, search, ask }: SortProps & { users: DirectoryEntry[] }) {
  const sorting = { search, ask };
  return (
    <div className={table.wrap}>
      <table className={table.table}>
        <thead>
          <tr>
            <Sortable by="email" {...sorting}>
              User
            </Sortable>
            <th scope="col">Plan</th>
            <th scope="col" data-number>
              This month
            </th>
            <Sortable by="requests" isNumber {...sorting}>
              All requests
            </Sortable>
            <Sortable by="tokensUsed" isNumber {...sorting}>
              Tokens
            </Sortable>
            <Sortable by="cost" isNumber {...sorting}>
              Cost
            </Sortable>
            <Sortable by="lastActiveAt" isNumber {...sorting}>
              Last active
            </Sortable>
            <Sortable by="createdAt" isNumber {...sorting}>
              Since
            </Sortable>
          </tr>
        </thead>
        <tbody>
          {users.map((user) => (
            <Row key={user.id} user={user} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface SortableProps extends SortProps {
  by: string;
  isNumber?: boolean;
  children: ReactNode;
}

function Sortable({ by, isNumber = false, search, ask, children }: SortableProps) {
  const isSorted = (search.sort ?? "createdAt") === by;
  const order = search.order ?? (by === "email" ? "asc" : "desc");
  const turned = isSorted ? (order === "asc" ? "desc" : "asc") : "";
  const state = order === "asc" ? "ascending" : "descending";
  return (
    <th scope="col" data-number={isNumber || undefined} aria-sort={isSorted ? state : "none"}>
      <button type="button" className={styles.sort} onClick={() => ask({ sort: by, order: turned })}>
        {children}
        {isSorted && (order === "asc" ? <IconUp size={12} /> : <IconDown size={12} />)}
      </button>
    </th>
  );
}

function Row({ user }: { user: DirectoryEntry }) {
  return (
    <tr>
      <td data-wide>
        <Link className={table.whole} to="/admin/users/$user" params={{ user: user.id }}>
          {user.email ?? user.id}
          {user.name != null && <span className={styles.soft}> {user.name}</span>}
        </Link>
      </td>
      <td>
        <Tag>{user.plan}</Tag> {user.role === "admin" && <Tag tone="accent">operator</Tag>}{" "}
        {!user.isActive && <Tag tone="warn">switched off</Tag>}
      </td>
      <td data-number data-unit="this month">
        {count(user.requestsThisMonth)}
        {user.monthlyLimit != null && <span className={styles.soft}> / {compact(user.monthlyLimit)}</span>}
      </td>
      <td data-number data-unit="requests">
        {count(user.totalRequests)}
      </td>
      <td data-number data-unit="tokens">
        {compact(user.totalTokensUsed)}
      </td>
      <td data-number title={withoutPrice(user.unpricedRequests)}>
        {costOf(user.totalCost, user.unpricedRequests)}
      </td>
      <td data-number data-soft>
        {user.lastActiveAt == null ? NONE : <TimeAgo at={user.lastActiveAt} />}
      </td>
      <td data-number data-soft data-none>
        <TimeAgo at={user.createdAt} />
      </td>
    </tr>
  );
}
