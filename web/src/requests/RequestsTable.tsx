import { Link } from "@tanstack/react-router";
import { memo } from "react";
import type { ChatRequest } from "@/api/types";
import { StatusBadge } from "@/shared/badges";
import { count, duration, money, NONE } from "@/shared/format";
import table from "@/shared/Table.module.css";
import { TimeAgo } from "@/shared/TimeAgo";
import styles from "./requests.module.css";

interface RequestsTableProps {
  requests: ChatRequest[];
  /** Whether a request opens beside this very list; else the page of requests opens. */
  isHere?: boolean;
}

/** Requests, one a row. */
export function RequestsTable({ requests, isHere = false }: RequestsTableProps) {
  return (
    <div className={table.wrap}>
      <table className={`${table.table} ${styles.rows}`} data-long={isHere || undefined}>
        <thead>
          <tr>
            <th scope="col">Prompt</th>
            <th scope="col">Model</th>
            <th scope="col">Status</th>
            <th scope="col" data-number>
              Tokens
            </th>
            <th scope="col" data-number>
              Cost
            </th>
            <th scope="col" data-number>
              Time
            </th>
            <th scope="col" data-number>
              Started
            </th>
          </tr>
        </thead>
        <tbody>
          {requests.map((request) => (
            <Row key={request.id} request={request} isHere={isHere} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Drawn once: of thousands that are there, only new ones are work. */
const Row = memo(function Row({ request, isHere }: { request: ChatRequest; isHere: boolean }) {
  const to = isHere
    ? {
        to: ".",
        search: ((before: object) => ({ ...before, open: request.id })) as never,
        resetScroll: false,
      }
    : { to: "/requests", search: { open: request.id } };
  return (
    <tr>
      <td data-wide>
        <Link className={table.whole} {...to}>
          {request.prompt || <span data-soft>No text kept</span>}
        </Link>
      </td>
      <td data-none={request.model == null || undefined}>{request.model ?? NONE}</td>
      <td>
        <StatusBadge status={request.status} errorCode={request.errorCode} />
      </td>
      <td data-number data-unit="tokens" data-none={request.tokensUsed == null || undefined}>
        {count(request.tokensUsed)}
      </td>
      <td data-number data-none={request.cost == null || undefined}>
        {money(request.cost)}
      </td>
      <td data-number data-none={request.duration == null || undefined}>
        {duration(request.duration)}
      </td>
      <td data-number data-soft>
        <TimeAgo at={request.startedAt} />
      </td>
    </tr>
  );
});
