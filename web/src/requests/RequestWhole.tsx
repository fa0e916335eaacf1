import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { WholeRequest } from "@/api/types";
import { StatusBadge, Tag } from "@/shared/badges";
import { CopyButton } from "@/shared/CopyButton";
import { count, duration, money, NONE } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import { exactTime } from "@/shared/times";
import { NO_CATEGORY } from "@/usage/measure";
import { CostFacts } from "./CostFacts";
import { RatingInput } from "./RatingInput";
import styles from "./RequestDrawer.module.css";
import { TextBlock } from "./TextBlock";
import { TextFormChoice } from "./TextFormChoice";
import { Timeline } from "./Timeline";

/** All that is kept of one request. */
export function RequestWhole({ request, isOwn }: { request: WholeRequest; isOwn: boolean }) {
  return (
    <div className={styles.whole}>
      <div className={styles.head}>
        <StatusBadge status={request.status} errorCode={request.errorCode} />
        <Remarks request={request} />
        <span className={styles.id}>
          <code>{request.requestId}</code>
          <CopyButton text={request.requestId} label="Copy the id" />
        </span>
      </div>
      <dl className={styles.main}>
        <Fact label="Tokens">{count(request.tokensUsed)}</Fact>
        <Fact label="Cost">{money(request.cost)}</Fact>
        <Fact label="Time">{duration(request.duration)}</Fact>
        <Fact label="Model">{request.model ?? NONE}</Fact>
      </dl>
      {request.errorMessage != null && <p className={styles.error}>{request.errorMessage}</p>}
      <TextFormChoice />
      <TextBlock title="Prompt" text={request.prompt} none="No prompt is kept." />
      <TextBlock
        title="Response"
        text={request.response}
        none={request.status === "pending" ? "The response is still on its way." : "No response is kept."}
      />
      {isOwn && request.status !== "pending" && (
        <RatingInput id={request.id} rating={request.userRating ?? null} />
      )}
      {!isOwn && request.userRating != null && <Fact label="Rating">{request.userRating} of 5</Fact>}
      <CostFacts request={request} />
      <Timeline request={request} />
      <About request={request} isOwn={isOwn} />
    </div>
  );
}

/** One fact and what it is called. */
export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Remarks({ request }: { request: WholeRequest }) {
  const remarks = [
    request.late && "Finished late",
    request.refunded && "Given back",
    request.outsidePlan && "Model outside the plan",
    request.overReserved && "More tokens than reserved",
  ].filter((each) => each !== false);
  return remarks.map((remark) => (
    <Tag key={remark} tone="warn">
      {remark}
    </Tag>
  ));
}

function About({ request, isOwn }: { request: WholeRequest; isOwn: boolean }) {
  const { sessionId, complexity, ipAddress, userAgent, metadataText } = request;
  return (
    <>
      <section>
        <h3>About</h3>
        <dl className={styles.facts}>
          {sessionId != null && (
            <Fact label="Session">{isOwn ? <ToSession id={sessionId} /> : sessionId}</Fact>
          )}
          <Fact label="Type">{request.requestType}</Fact>
          <Fact label="Category">{request.category ?? NO_CATEGORY}</Fact>
          {complexity != null && <Fact label="Complexity">{complexity}</Fact>}
          <Fact label="Plan">{planTitle(request.planName)}</Fact>
          {request.status === "pending" && <Fact label="Must end by">{exactTime(request.expiresAt)}</Fact>}
          {ipAddress != null && <Fact label="From">{ipAddress}</Fact>}
          {userAgent != null && <Fact label="By">{userAgent}</Fact>}
        </dl>
      </section>
      {metadataText !== null && (
        <section>
          <h3>Metadata</h3>
          <pre className={styles.json}>{metadataText}</pre>
        </section>
      )}
    </>
  );
}

function ToSession({ id }: { id: string }) {
  return (
    <Link to="/sessions/$session" params={{ session: id }}>
      {id}
    </Link>
  );
}
