import type { ReactNode } from "react";
import { Button } from "./Button";
import styles from "./Table.module.css";

interface MoreRowsProps {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
  label?: string;
  children?: ReactNode;
}

/** Leads on, where a list goes on. */
export function MoreRows(props: MoreRowsProps) {
  const { hasNextPage, isFetchingNextPage, fetchNextPage, label = "Show more", children } = props;
  if (!hasNextPage && children === undefined) return null;
  return (
    <div className={styles.foot}>
      {children}
      {hasNextPage && (
        <Button variant="default" size="xs" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {label}
        </Button>
      )}
    </div>
  );
}
