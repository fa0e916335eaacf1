import { ActionIcon } from "@mantine/core";
import { useUnseenAlerts } from "@/api/alerts";
import type { Status } from "@/live/stream";
import { IconMenu } from "@/shared/icons";
import { Brand } from "./Brand";
import { LiveSign } from "./LiveSign";
import styles from "./Shell.module.css";

/** On narrow screens, where the navigation has no room. */
export function TopBar({ onMenu, live }: { onMenu: () => void; live: Status }) {
  const unseen = useUnseenAlerts();
  return (
    <nav className="frame-top" aria-label="Top">
      <ActionIcon
        className={styles.menu}
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={unseen > 0 ? `Menu, alerts: ${unseen} unseen` : "Menu"}
        data-unseen={unseen > 0 || undefined}
        onClick={onMenu}
      >
        <IconMenu size={18} />
      </ActionIcon>
      <Brand />
      <LiveSign status={live} />
    </nav>
  );
}
