import { Button, SegmentedControl, Skeleton } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useSession } from "@/api/sessions";
import type { ChatRequest } from "@/api/types";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { Exchange } from "./Exchange";
import styles from "./sessions.module.css";

/** One conversation, from its first word. */
export function SessionPage() {
  const { session: id = "" } = useParams({ strict: false });
  const session = useSession(id);
  const [form, setForm] = useState("markdown");
  const first = session.data?.pages[0]?.items[0];
  return (
    <>
      <nav className={styles.up} aria-label="Breadcrumb">
        <Link to="/sessions">Sessions</Link>
      </nav>
      <PageHeader title={id} tab="Session" about={first && <About first={first} />}>
        <SegmentedControl
          size="xs"
          aria-label="Show texts as"
          value={form}
          onChange={setForm}
          data={[
            { value: "markdown", label: "Markdown" },
            { value: "text", label: "Text" },
          ]}
        />
      </PageHeader>
      <Panel>
        <Loaded query={session} skeleton={<Outline />} missing={<NoSession />}>
          {({ pages }) => (
            <ol className={styles.talk}>
              {pages
                .flatMap((page) => page.items)
                .map((request) => (
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

function About({ first }: { first: ChatRequest }) {
  const list = (
    <Link to="/requests" search={{ sessionId: first.sessionId ?? "" }}>
      Show as a list of requests
    </Link>
  );
  return list;
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
