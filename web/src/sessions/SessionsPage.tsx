import { Link } from "@tanstack/react-router";
import { useSessions } from "@/api/sessions";
import type { ChatSession } from "@/api/types";
import { EmptyState } from "@/shared/EmptyState";
import { count, fromNow, money, NONE } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import table from "@/shared/Table.module.css";
import { TimeAgo } from "@/shared/TimeAgo";

/** One's conversations. */
export function SessionsPage() {
  const sessions = useSessions();
  return (
    <>
      <PageHeader title="Sessions" about="Conversations: requests that came with the same session id." />
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
                <SessionsTable sessions={found} />
                <MoreRows {...sessions} />
              </>
            );
          }}
        </Loaded>
      </Panel>
    </>
  );
}

function SessionsTable({ sessions }: { sessions: ChatSession[] }) {
  return (
    <div className={table.wrap}>
      <table className={table.table}>
        <thead>
          <tr>
            <th scope="col">Session</th>
            <th scope="col" data-number>
              Requests
            </th>
            <th scope="col" data-number>
              Failed
            </th>
            <th scope="col" data-number>
              Tokens
            </th>
            <th scope="col" data-number>
              Cost
            </th>
            <th scope="col" data-number>
              Began
            </th>
            <th scope="col" data-number>
              Last request
            </th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => (
            <Row key={session.sessionId} session={session} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ session }: { session: ChatSession }) {
  return (
    <tr>
      <td data-wide>
        <Link className={table.whole} to="/sessions/$session" params={{ session: session.sessionId }}>
          {session.sessionId}
        </Link>
      </td>
      <td data-number data-unit={session.requests === 1 ? "request" : "requests"}>
        {count(session.requests)}
      </td>
      <td
        data-number
        data-unit="failed"
        data-soft={session.failed === 0 || undefined}
        data-none={session.failed === 0 || undefined}
      >
        {count(session.failed)}
      </td>
      <td data-number data-unit="tokens">
        {count(session.tokensUsed)}
      </td>
      <td data-number data-none={isUnpriced(session) || undefined}>
        {isUnpriced(session) ? NONE : money(session.cost)}
      </td>
      <td data-number data-soft data-none={isSame(session) || undefined}>
        <TimeAgo at={session.startedAt} />
      </td>
      <td data-number data-soft>
        <TimeAgo at={session.lastAt} />
      </td>
    </tr>
  );
}

/** On a narrow screen the same words are not said twice. */
function isSame({ startedAt, lastAt }: ChatSession): boolean {
  const now = Date.now();
  return fromNow(startedAt, now) === fromNow(lastAt, now);
}

/** Whether nothing that was used has cost anything that is known. */
const isUnpriced = ({ costNanos, tokensUsed }: ChatSession) => costNanos === 0 && tokensUsed > 0;
