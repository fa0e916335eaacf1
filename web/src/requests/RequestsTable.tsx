import { Link } from "@tanstack/react-router";
import type { CSSProperties } from "react";
import type { ListedRequest } from "@/api/types";
import { StatusBadge } from "@/shared/badges";
import { brief, briefMoney, count, duration, money, NONE, plural } from "@/shared/format";
import { type Column, Table } from "@/shared/Table";
import table from "@/shared/Table.module.css";
import { TimeAgo } from "@/shared/TimeAgo";
import { MatchLine, PromptLine } from "./MatchLine";
import { ModelName } from "./ModelName";
import styles from "./requests.module.css";

interface RequestsTableProps {
  requests: ListedRequest[];
  /** Whether a request opens beside this very list; else the page of requests opens. */
  isHere?: boolean;
}

/** Requests, one a row. */
export function RequestsTable({ requests, isHere = false }: RequestsTableProps) {
  const longest = Math.max(0, ...requests.map(({ model }) => model?.length ?? 0));
  return (
    <div style={{ "--longest": longest } as CSSProperties}>
      <Table
        rows={requests}
        columns={isHere ? HERE : ELSEWHERE}
        keyOf={({ id }) => id}
        className={styles.rows}
        isLong={isHere}
      />
    </div>
  );
}

const columns = (isHere: boolean): Column<ListedRequest>[] => [
  {
    label: "Prompt",
    kind: "wide",
    of: (request) => (
      <>
        <Link
          className={table.whole}
          {...(isHere ? beside(request.id) : { to: "/requests", search: { open: request.id } })}
        >
          <PromptLine request={request} />
        </Link>
        <MatchLine request={request} />
      </>
    ),
  },
  {
    label: "Model",
    isNone: ({ model }) => model == null,
    title: ({ model }) => model ?? undefined,
    of: ({ model }) => (model == null ? NONE : <ModelName name={model} />),
  },
  {
    label: "Status",
    of: ({ status, errorCode }) => <StatusBadge status={status} errorCode={errorCode} />,
  },
  {
    label: "Tokens",
    kind: "number",
    isExtra: true,
    unit: ({ tokensUsed }) => plural(tokensUsed ?? 0, "token"),
    isNone: ({ tokensUsed }) => tokensUsed == null,
    title: ({ tokensUsed }) => count(tokensUsed),
    of: ({ tokensUsed }) => brief(tokensUsed),
  },
  {
    label: "Cost",
    kind: "number",
    isNone: ({ cost }) => cost == null,
    title: ({ cost }) => money(cost),
    of: ({ cost }) => briefMoney(cost),
  },
  {
    label: "Time",
    kind: "number",
    isExtra: true,
    isNone: (request) => request.duration == null,
    of: (request) => duration(request.duration),
  },
  { label: "Started", kind: "number", isSoft: true, of: ({ startedAt }) => <TimeAgo at={startedAt} /> },
];

const beside = (id: string) => ({
  to: ".",
  search: ((before: object) => ({ ...before, open: id })) as never,
  resetScroll: false,
});

const HERE = columns(true);
const ELSEWHERE = columns(false);
