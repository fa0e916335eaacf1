import { SegmentedControl } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type Order, useSessions } from "@/api/sessions";
import type { ChatSession } from "@/api/types";
import { headOf } from "@/places";
import { EmptyState } from "@/shared/EmptyState";
import { costOf, count, isUnknown, plural, withoutPrice } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { type Column, Table } from "@/shared/Table";
import table from "@/shared/Table.module.css";
import { TimeAgo } from "@/shared/TimeAgo";
import { fromNow } from "@/shared/times";
import { sessionsShown } from "./shown";

const ORDERS: { value: Order; label: string }[] = [
  { value: "desc", label: "Newest first" },
  { value: "asc", label: "Oldest first" },
];

/** One's conversations. */
export function SessionsPage() {
  const { order = "desc" } = sessionsShown(useSearch({ strict: false }));
  const navigate = useNavigate();
  const sort = (chosen: string) =>
    void navigate({ to: ".", search: chosen === "asc" ? { order: chosen } : {}, resetScroll: false });
  const sessions = useSessions(order);
  return (
    <>
      <PageHeader {...headOf("/sessions")}>
        <SegmentedControl size="xs" aria-label="Order" value={order} data={ORDERS} onChange={sort} />
      </PageHeader>
      <Panel flush>
        <Loaded query={sessions} skeleton={<SkeletonRows rows={10} />}>
          {({ pages }) => {
            const found = pages.flatMap((page) => page.items);
            return found.length === 0 ? (
              <EmptyState title="No conversations yet">
                An app that sends a <code>sessionId</code> with its requests groups them here.
              </EmptyState>
            ) : (
              <>
                <Table rows={found} columns={COLUMNS} keyOf={({ sessionId }) => sessionId} />
                <MoreRows {...sessions} />
              </>
            );
          }}
        </Loaded>
      </Panel>
    </>
  );
}

const COLUMNS: Column<ChatSession>[] = [
  {
    label: "Session",
    kind: "wide",
    title: ({ sessionId }) => sessionId,
    of: ({ sessionId }) => (
      <Link className={table.whole} to="/sessions/$session" params={{ session: sessionId }}>
        {sessionId}
      </Link>
    ),
  },
  {
    label: "Requests",
    kind: "number",
    unit: ({ requests }) => plural(requests, "request"),
    of: ({ requests }) => count(requests),
  },
  {
    label: "Failed",
    kind: "number",
    isExtra: true,
    unit: "failed",
    isSoft: ({ failed }) => failed === 0,
    isNone: ({ failed }) => failed === 0,
    of: ({ failed }) => count(failed),
  },
  {
    label: "Tokens",
    kind: "number",
    unit: ({ tokensUsed }) => plural(tokensUsed, "token"),
    of: ({ tokensUsed }) => count(tokensUsed),
  },
  {
    label: "Cost",
    kind: "number",
    isNone: ({ cost, unpricedRequests }) => isUnknown(cost, unpricedRequests),
    title: ({ unpricedRequests }) => withoutPrice(unpricedRequests),
    of: ({ cost, unpricedRequests }) => costOf(cost, unpricedRequests),
  },
  {
    label: "Began",
    kind: "number",
    isSoft: true,
    before: "began",
    of: ({ startedAt }) => <TimeAgo at={startedAt} />,
  },
  {
    label: "Last request",
    kind: "number",
    isSoft: true,
    before: "last",
    isNone: isSame,
    of: ({ lastAt }) => <TimeAgo at={lastAt} />,
  },
];

/** On a narrow screen the same words are not said twice. */
function isSame({ startedAt, lastAt }: ChatSession): boolean {
  const now = Date.now();
  return fromNow(startedAt, now) === fromNow(lastAt, now);
}
