import { type ReactNode, useEffect } from "react";
import styles from "./shared.module.css";

interface PageHeaderProps {
  title: string;
  /** What the browser's tab says, if not the same. */
  tab?: string;
  about?: ReactNode;
  children?: ReactNode;
}

/** What the page is, and what can be done on all of it. */
export function PageHeader({ title, tab = title, about, children }: PageHeaderProps) {
  useEffect(() => {
    document.title = `${tab} · tollkeeper`;
  }, [tab]);
  return (
    <div className={styles.pageHead}>
      <div>
        <h1>{title}</h1>
        {about !== undefined && <p>{about}</p>}
      </div>
      {children && <div className={styles.pageActions}>{children}</div>}
    </div>
  );
}
