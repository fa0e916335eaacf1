import { Link } from "@tanstack/react-router";
import type { ChatRequest } from "@/api/types";
import { StatusBadge } from "@/shared/badges";
import { compact, duration, exactTime, money, shortTime } from "@/shared/format";
import styles from "./sessions.module.css";

const LONG = 1_200;

/** What was asked and what was answered. */
export function Exchange({ request }: { request: ChatRequest }) {
  return (
    <li className={styles.exchange}>
      <p className={styles.time}>
        <time dateTime={request.startedAt} title={exactTime(request.startedAt)}>
          {shortTime(request.startedAt)}
        </time>
      </p>
      <div className={styles.prompt}>{cut(request.prompt) ?? <i>No prompt is kept.</i>}</div>
      <div className={styles.answer}>
        {request.errorMessage != null && <p className={styles.failed}>{request.errorMessage}</p>}
        <div className={styles.response}>{cut(request.response) ?? <Silence status={request.status} />}</div>
        <Figures request={request} />
      </div>
    </li>
  );
}

function Silence({ status }: { status: string }) {
  return <i>{status === "pending" ? "The response is on its way." : "No response is kept."}</i>;
}

function Figures({ request }: { request: ChatRequest }) {
  const figures = [
    request.model,
    request.tokensUsed != null && `${compact(request.tokensUsed)} tokens`,
    request.cost != null && money(request.cost),
    request.duration != null && duration(request.duration),
    request.userRating != null && `rated ${request.userRating} of 5`,
  ].filter(Boolean);
  return (
    <p className={styles.figures}>
      <StatusBadge status={request.status} errorCode={request.errorCode} />
      {figures.length > 0 && <span>{figures.join(" · ")}</span>}
      <Link to="/requests" search={{ sessionId: request.sessionId ?? "", open: request.id }}>
        Details<span className="visually-hidden"> of this request</span>
      </Link>
    </p>
  );
}

const cut = (text: string | null | undefined) =>
  text && text.length > LONG ? `${text.slice(0, LONG)} …` : text || null;
