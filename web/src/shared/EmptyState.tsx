import type { ReactNode } from "react";
import styles from "./shared.module.css";

interface EmptyStateProps {
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

/** There is nothing, and this is what to do about it. */
export function EmptyState({ title, children, action }: EmptyStateProps) {
  return (
    <div className={styles.state}>
      <h2>{title}</h2>
      <p>{children}</p>
      {action !== undefined && <div className={styles.stateAction}>{action}</div>}
    </div>
  );
}
