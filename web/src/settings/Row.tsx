import type { ReactNode } from "react";
import styles from "./settings.module.css";

interface RowProps {
  label: string;
  about: ReactNode;
  children: ReactNode;
}

/** One thing that can be set: what it is, and how it is set. */
export function Row({ label, about, children }: RowProps) {
  return (
    <div className={styles.row}>
      <div>
        <p className={styles.label}>{label}</p>
        <p className={styles.note}>{about}</p>
      </div>
      <div className={styles.field}>{children}</div>
    </div>
  );
}
