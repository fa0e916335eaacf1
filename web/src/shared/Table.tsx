import { type MouseEvent, memo, type ReactNode } from "react";
import styles from "./Table.module.css";

export interface Column<Row> {
  label: string;
  of: (row: Row) => ReactNode;
  /** What stands in the heading in place of the label: a button that sorts. */
  heading?: ReactNode;
  sorted?: "ascending" | "descending" | "none";
  /** The one that takes what room there is, and is the first line on a phone; a number stands to the right. */
  kind?: "wide" | "number";
  /** Left out where the table is narrow, on phones it is there again. */
  isExtra?: boolean;
  isSoft?: boolean | ((row: Row) => boolean);
  /** What is said on hover, if not what is shown: it may be cut. */
  title?: (row: Row) => string | undefined;
  /** On a phone, where there are no headings: what it is, behind or before it; whether it says nothing and is left out. */
  unit?: string | ((row: Row) => string);
  before?: string | ((row: Row) => string | undefined);
  isNone?: boolean | ((row: Row) => boolean);
}

interface TableProps<Row> {
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  keyOf: (row: Row) => string;
  className?: string | undefined;
  /** Rows out of sight are not laid out. */
  isLong?: boolean;
  /** What takes the place of a whole row: its editor. */
  instead?: (row: Row) => ReactNode;
  /** What it is called where it holds nothing that takes the focus: it takes it itself, to be scrolled by keyboard. */
  label?: string;
}

/** Rows under headings; on a phone each row is a card. */
export function Table<Row>(props: TableProps<Row>) {
  const { rows, columns, keyOf, className = "", isLong, instead, label } = props;
  return (
    <div
      className={styles.wrap}
      {...(label === undefined ? {} : { role: "region", "aria-label": label, tabIndex: 0 })}
    >
      <table className={`${styles.table} ${className}`} data-long={isLong || undefined}>
        <thead>
          <tr>
            {columns.map(({ label, heading, sorted, kind, isExtra }) => (
              <th key={label} scope="col" aria-sort={sorted} {...marks(kind, isExtra)}>
                {heading ?? label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const other = instead?.(row) || null;
            return other === null ? (
              <Cells key={keyOf(row)} row={row} columns={columns as readonly Column<unknown>[]} />
            ) : (
              <tr key={keyOf(row)} className={styles.instead}>
                <td colSpan={columns.length}>{other}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Drawn once: of thousands that are there, only new ones are work. */
const Cells = memo(function Cells({ row, columns }: { row: unknown; columns: readonly Column<unknown>[] }) {
  return (
    <tr onClick={openWhole} onAuxClick={openWhole}>
      {columns.map(({ label, of, kind, isExtra, isSoft, title, unit, before, isNone }) => {
        const content = of(row);
        const told = title?.(row);
        return (
          <td
            key={label}
            {...marks(kind, isExtra)}
            data-soft={holds(isSoft, row)}
            data-none={holds(isNone, row)}
            data-before={typeof before === "function" ? before(row) : before}
            data-unit={typeof unit === "function" ? unit(row) : unit}
            data-told={told !== undefined || undefined}
            title={told ?? (typeof content === "string" ? content : undefined)}
          >
            {typeof content === "string" ? <bdi>{content}</bdi> : content}
          </td>
        );
      })}
    </tr>
  );
});

/** Cells with more to tell lie above the link of their row, else no pointer would find them: they pass on a click. */
function openWhole(event: MouseEvent<HTMLTableRowElement>) {
  if (!(event.target instanceof Element) || event.target.closest("a, button, input") !== null) return;
  const whole = event.currentTarget.querySelector<HTMLAnchorElement>(`.${styles.whole}`);
  if (whole === null || getSelection()?.isCollapsed === false) return;
  if (event.button === 0) whole.dispatchEvent(new globalThis.MouseEvent("click", event.nativeEvent));
  if (event.button === 1) window.open(whole.href, "_blank", "noopener");
}

const marks = (kind: Column<never>["kind"], isExtra: boolean | undefined) => ({
  "data-wide": kind === "wide" || undefined,
  "data-number": kind === "number" || undefined,
  "data-extra": isExtra || undefined,
});

function holds(told: boolean | ((row: unknown) => boolean) | undefined, row: unknown): true | undefined {
  return (typeof told === "function" ? told(row) : told) || undefined;
}
