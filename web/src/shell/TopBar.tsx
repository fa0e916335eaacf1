import { ActionIcon } from "@mantine/core";
import type { Status } from "@/live/stream";
import { IconMenu } from "@/shared/icons";
import { Brand } from "./Brand";
import { LiveSign } from "./LiveSign";

/** On narrow screens, where the navigation has no room. */
export function TopBar({ onMenu, live }: { onMenu: () => void; live: Status }) {
  return (
    <nav className="frame-top" aria-label="Top">
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Menu" onClick={onMenu}>
        <IconMenu size={18} />
      </ActionIcon>
      <Brand />
      <LiveSign status={live} />
    </nav>
  );
}
