import { Select } from "@mantine/core";
import { changed, chosen, ORDERS } from "./orders";
import styles from "./requests.module.css";
import type { FilterProps } from "./useNarrowed";

/** Which requests come first. */
export function OrderChoice({ search, narrow }: FilterProps) {
  return (
    <Select
      className={styles.order ?? ""}
      size="xs"
      aria-label="Order"
      allowDeselect={false}
      data={ORDERS}
      value={chosen(search)}
      onChange={(order) => narrow(changed(order ?? ""))}
    />
  );
}
