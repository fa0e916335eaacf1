import { type ReactNode, useState } from "react";
import { Panel } from "@/shared/Panel";
import table from "@/shared/Table.module.css";
import styles from "./system.module.css";

interface Column<Row> {
  label: string;
  of: (row: Row) => ReactNode;
  isNumber?: boolean;
}

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
  const shown = isWhole ? rows : rows.slice(0, AT_FIRST);
  return (
    <Panel title={title} {...(note === undefined ? {} : { note })} flush>
      {/* What scrolls is reached by keyboard. */}
      <section className={styles.scroll} tabIndex={0} aria-label={`${title}, as a table`}>
        <table className={`${table.table} ${styles.rows}`}>
          <thead>
            <tr>
              {columns.map(({ label, isNumber }) => (
                <th key={label} scope="col" data-number={isNumber}>
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={keyOf(row)}>
                {columns.map(({ label, of, isNumber }) => (
                  <td key={label} data-number={isNumber}>
                    {of(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
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
