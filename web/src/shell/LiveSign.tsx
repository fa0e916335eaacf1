import { Tooltip } from "@mantine/core";
import type { Status } from "@/live/stream";
import styles from "./Shell.module.css";

const TOLD: Record<Status, string> = {
  live: "Live: every number moves as things happen",
  connecting: "Connecting",
  reconnecting: "The connection was lost; coming back",
  ended: "Signed out",
};

/** Whether what is shown is what is. */
export function LiveSign({ status }: { status: Status }) {
  const isLive = status === "live";
  return (
    <Tooltip label={TOLD[status]}>
      <span className={styles.live} data-live={isLive} role="status">
        {isLive ? "Live" : status === "reconnecting" ? "Offline" : ""}
      </span>
    </Tooltip>
  );
}
