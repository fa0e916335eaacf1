import { Link } from "@tanstack/react-router";
import type { ChatRequest } from "@/api/types";
import { StatusBadge } from "@/shared/badges";
import { compact, duration, money, plural } from "@/shared/format";
import { exactTime, shortTime } from "@/shared/times";
import { emptiness, isBlank } from "@/shared/visible";
import styles from "./sessions.module.css";
import { Words } from "./Words";

interface ExchangeProps {
  request: ChatRequest;
  /** As Markdown, or as the text that it is. */
  isFormatted: boolean;
}

/** What was asked and what was answered. */
export function Exchange({ request, isFormatted }: ExchangeProps) {
  return (
    <li className={styles.exchange}>
      <p className={styles.time}>
        <time dateTime={request.startedAt} title={exactTime(request.startedAt)}>
          {shortTime(request.startedAt)}
        </time>
      </p>
      <div className={styles.prompt}>
        {request.prompt && !isBlank(request.prompt) ? (
          <Words text={request.prompt} isFormatted={isFormatted} />
        ) : (
          <i>{request.prompt == null ? "No prompt is kept." : `${emptiness(request.prompt)}.`}</i>
        )}
      </div>
      <div className={styles.answer}>
        {request.errorMessage != null && (
          <div className={styles.failed}>
            <Words text={request.errorMessage} isFormatted={false} />
          </div>
        )}
        {request.response && !isBlank(request.response) ? (
          <Words text={request.response} isFormatted={isFormatted} />
        ) : (
          <Silence request={request} />
        )}
        <Figures request={request} />
      </div>
    </li>
  );
}

function Silence({ request: { response, status } }: { request: ChatRequest }) {
  const none = status === "pending" ? "The response is on its way." : "No response is kept.";
  return <i className={styles.silence}>{response == null ? none : `${emptiness(response)}.`}</i>;
}

function Figures({ request }: { request: ChatRequest }) {
  const figures = [
    request.tokensUsed != null && `${compact(request.tokensUsed)} ${plural(request.tokensUsed, "token")}`,
    request.cost != null && money(request.cost),
    request.duration != null && duration(request.duration),
    request.userRating != null && `rated ${request.userRating} of 5`,
  ].filter(Boolean);
  return (
    <p className={styles.figures}>
      <StatusBadge status={request.status} errorCode={request.errorCode} />
      {request.model && <bdi>{request.model}</bdi>}
      {figures.length > 0 && <span>{figures.join(" · ")}</span>}
      <Link to="/requests" search={{ sessionId: request.sessionId ?? "", open: request.id }}>
        Details<span className="visually-hidden"> of this request</span>
      </Link>
    </p>
  );
}
