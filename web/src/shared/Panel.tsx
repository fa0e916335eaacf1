import { type ReactNode, useId } from "react";
import styles from "./shared.module.css";

interface PanelProps {
  title?: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  /** What it holds reaches its edges: tables. */
  flush?: boolean;
  children: ReactNode;
}

/** A part of a page, under its own heading. */
export function Panel({ title, note, actions, flush = false, children }: PanelProps) {
  const id = useId();
  return (
    <section className={styles.panel} aria-labelledby={title === undefined ? undefined : id}>
      {title !== undefined && (
        <div className={styles.panelHead}>
          <h2 id={id}>
            {title} {note !== undefined && <span className={styles.panelNote}>{note}</span>}
          </h2>
          {actions !== undefined && <div className={styles.panelActions}>{actions}</div>}
        </div>
      )}
      <div className={flush ? (title === undefined ? undefined : styles.flush) : styles.panelBody}>
        {children}
      </div>
    </section>
  );
}
