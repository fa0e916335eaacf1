import { Skeleton } from "@mantine/core";
import styles from "./SkeletonRows.module.css";

/** Stands in for rows of a table. */
export function SkeletonRows({ rows = 8 }: { rows?: number }) {
  return (
    <div className={styles.rows}>
      {Array.from({ length: rows }, (_, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <div key={place}>
          <Skeleton height={12} width={`${45 + ((place * 17) % 40)}%`} />
          <Skeleton height={12} width={64} />
          <Skeleton height={12} width={48} />
        </div>
      ))}
    </div>
  );
}
