import { Button, Skeleton } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useSession } from "@/api/sessions";
import type { ChatRequest } from "@/api/types";
import { TextFormChoice } from "@/requests/TextFormChoice";
import { useTextForm } from "@/requests/useTextForm";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { Exchange } from "./Exchange";
import { SessionTotals } from "./SessionTotals";
import styles from "./sessions.module.css";

/** One conversation, from its first word. */
export function SessionPage() {
  const { session: id = "" } = useParams({ strict: false });
  const session = useSession(id);
  const [form] = useTextForm();
  const requests = session.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <nav className={styles.up} aria-label="Breadcrumb">
        <Link to="/sessions">Sessions</Link>
      </nav>
      <PageHeader
        title={id}
        tab="Session"
        about={requests.length > 0 ? <About requests={requests} isWhole={!session.hasNextPage} /> : undefined}
      >
        <TextFormChoice />
      </PageHeader>
      <Panel>
        <Loaded query={session} skeleton={<Outline />} missing={<NoSession />}>
          {() => (
            <ol className={styles.talk}>
              {requests.map((request) => (
                <Exchange key={request.id} request={request} isFormatted={form === "markdown"} />
              ))}
            </ol>
          )}
        </Loaded>
        <MoreRows {...session} />
      </Panel>
    </>
  );
}

function NoSession() {
  return (
    <EmptyState
      title="There is no such conversation"
      action={
        <Button component={Link} to="/sessions" variant="default" size="xs">
          To all sessions
        </Button>
      }
    >
      The address may be mistyped, or what was said is no longer kept.
    </EmptyState>
  );
}

/** Its sums are those of its requests: as long as some are not here, nobody adds them up. */
function About({ requests, isWhole }: { requests: ChatRequest[]; isWhole: boolean }) {
  return (
    <span className={styles.about}>
      {isWhole && <SessionTotals requests={requests} />}
      <Link to="/requests" search={{ sessionId: requests[0]?.sessionId ?? "" }}>
        Show as a list of requests
      </Link>
    </span>
  );
}

function Outline() {
  return (
    <div className={styles.talk}>
      <Skeleton height={48} width="60%" />
      <Skeleton height={96} width="80%" />
      <Skeleton height={48} width="50%" />
      <Skeleton height={120} width="80%" />
    </div>
  );
}
