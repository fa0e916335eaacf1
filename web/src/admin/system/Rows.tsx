import { useState } from "react";
import { Panel } from "@/shared/Panel";
import { type Column, Table } from "@/shared/Table";
import table from "@/shared/Table.module.css";
import styles from "./system.module.css";

interface RowsProps<Row> {
  title: string;
  note?: string;
  rows: Row[];
  keyOf: (row: Row) => string;
  columns: Column<Row>[];
}

const AT_FIRST = 8;

/** A plain table; of a long one the beginning. */
export function Rows<Row>({ title, note, rows, keyOf, columns }: RowsProps<Row>) {
  const [isWhole, setIsWhole] = useState(false);
  return (
    <Panel title={title} {...(note === undefined ? {} : { note })} flush>
      <Table
        label={`${title}, as a table`}
        className={styles.rows}
        rows={isWhole ? rows : rows.slice(0, AT_FIRST)}
        keyOf={keyOf}
        columns={columns}
      />
      {rows.length > AT_FIRST && (
        <div className={table.foot}>
          <button type="button" className={styles.more} onClick={() => setIsWhole(!isWhole)}>
            {isWhole ? "Show fewer" : `Show all ${rows.length}`}
          </button>
        </div>
      )}
    </Panel>
  );
}
