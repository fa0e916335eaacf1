import { Button } from "@mantine/core";
import styles from "./RequestDrawer.module.css";
import { useNeighbours } from "./useNeighbours";

interface ToNeighboursProps {
  userId: string | undefined;
  /** Not while something else has opened over it. */
  isActive: boolean;
}

/** Leads to the requests beside the open one in its list. */
export function ToNeighbours({ userId, isActive }: ToNeighboursProps) {
  const neighbours = useNeighbours(userId, isActive);
  if (neighbours === null) return null;
  return (
    <nav className={styles.neighbours} aria-label="Requests of the list">
      <Way label="Previous" by="K" go={neighbours.previous} />
      <Way label="Next" by="J" go={neighbours.next} />
    </nav>
  );
}

function Way({ label, by, go }: { label: string; by: string; go: (() => void) | undefined }) {
  return (
    <Button
      variant="default"
      size="compact-sm"
      title={`By key: ${by}`}
      aria-keyshortcuts={by}
      // Switched off in earnest, it would lose the focus of whoever pressed it.
      aria-disabled={go === undefined || undefined}
      {...(go === undefined ? { "data-disabled": true } : { onClick: go })}
    >
      {label}
    </Button>
  );
}
