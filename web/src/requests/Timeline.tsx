import type { WholeRequest } from "@/api/types";
import { duration } from "@/shared/format";
import { TimeAgo } from "@/shared/TimeAgo";
import { exactTime } from "@/shared/times";
import styles from "./RequestDrawer.module.css";

/** What happened to it, and when. */
export function Timeline({ request }: { request: WholeRequest }) {
  const isOver = request.completedAt != null;
  const end =
    request.errorCode === "expired" ? "Expired" : request.status === "failed" ? "Failed" : "Completed";
  return (
    <section>
      <h3>Timeline</h3>
      <ol className={styles.timeline}>
        <li>
          <b>Started</b> <TimeAgo at={request.startedAt} />
          <span>{exactTime(request.startedAt)}</span>
        </li>
        {request.completedAt != null && (
          <li data-tone={request.status === "failed" ? "bad" : "good"}>
            <b>{end}</b>
            {request.duration != null && ` after ${duration(request.duration)}`}
            <span>{exactTime(request.completedAt)}</span>
          </li>
        )}
        {!isOver && (
          <li data-tone="waiting">
            <b>Waiting</b> for its end; it expires <TimeAgo at={request.expiresAt} />
            <span>{exactTime(request.expiresAt)}</span>
          </li>
        )}
      </ol>
    </section>
  );
}
