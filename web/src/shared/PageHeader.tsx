import { type ReactNode, useEffect } from "react";
import { apart } from "./visible";

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
    document.title = `${apart(tab)} · tollkeeper`;
  }, [tab]);
  return (
    <div className="frame-head">
      <div>
        <h1>
          <bdi>{title}</bdi>
        </h1>
        {about !== undefined && <p>{about}</p>}
      </div>
      {children && <div className="frame-actions">{children}</div>}
    </div>
  );
}
