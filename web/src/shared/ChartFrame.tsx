import { ActionIcon, Skeleton, Tooltip } from "@mantine/core";
import { type ReactNode, Suspense, useState } from "react";
import styles from "./ChartFrame.module.css";
import { IconChart, IconTable } from "./icons";
import { Panel } from "./Panel";

export interface Column<Row> {
  label: string;
  of: (row: Row) => string;
  /** What stands around it: a link. */
  around?: (row: Row, told: string) => ReactNode;
}

interface ChartFrameProps<Row> {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  /** What the chart shows, as a table: the first column names the row. */
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  height?: number;
  children: ReactNode;
}

/** A chart, which can be read as a table too. */
export function ChartFrame<Row>({
  title,
  note,
  actions,
  rows,
  columns,
  height = 240,
  children,
}: ChartFrameProps<Row>) {
  const [isTable, setIsTable] = useState(false);
  const label = isTable ? "Show as chart" : "Show as table";
  const toggle = (
    <Tooltip label={label} withinPortal={false}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={`${label}: ${title}`}
        onClick={() => setIsTable(!isTable)}
      >
        {isTable ? <IconChart /> : <IconTable />}
      </ActionIcon>
    </Tooltip>
  );
  const both = (
    <>
      {actions}
      {toggle}
    </>
  );
  return (
    <Panel title={title} note={note} actions={both}>
      {isTable ? (
        <Table title={title} rows={rows} columns={columns} height={height} />
      ) : (
        <div className={styles.chart} style={{ height }}>
          <Suspense fallback={<Awaited />}>{children}</Suspense>
        </div>
      )}
    </Panel>
  );
}

/** In the place and size of what is on its way. */
function Awaited() {
  return (
    <div className={styles.awaited} aria-busy="true">
      <span className="visually-hidden">Loading …</span>
      <Skeleton height="100%" />
    </div>
  );
}

type TableProps<Row> = Pick<ChartFrameProps<Row>, "title" | "rows" | "columns"> & { height: number };

function Table<Row>({ title, rows, columns, height }: TableProps<Row>) {
  return (
    <section
      className={styles.scroll}
      style={{ maxHeight: height }}
      tabIndex={0}
      aria-label={`${title}, as a table`}
    >
      <table className={styles.table}>
        <thead>
          <tr>
            {columns.map(({ label }) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={columns[0]?.of(row)}>
              {columns.map(({ label, of, around = (_, told) => told }, place) =>
                place === 0 ? (
                  <th key={label} scope="row">
                    {around(row, of(row))}
                  </th>
                ) : (
                  <td key={label}>{around(row, of(row))}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
