import { ActionIcon, Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import styles from "./Table.module.css";

/** What can be done with one row, at its end. */
export function RowActions({ children }: { children: ReactNode }) {
  return <div className={styles.actions}>{children}</div>;
}

interface RowActionProps {
  does: string;
  /** What it says to those who do not see which row it stands in. */
  label: string;
  onClick: () => void;
  children: ReactNode;
}

/** One of them: an icon that says what it does. */
export function RowAction({ does, label, onClick, children }: RowActionProps) {
  return (
    <Tooltip label={does}>
      <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={onClick}>
        {children}
      </ActionIcon>
    </Tooltip>
  );
}
