import { BarChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import { useMediaQuery } from "@mantine/hooks";
import { type BarShapeProps, Rectangle } from "recharts";
import { NARROW, xAxis, Y_AXIS } from "./axis";
import type { BarRow } from "./bars";
import { ChartTip } from "./ChartTip";
import "./charts.css";

interface BarsProps {
  rows: BarRow[];
  series: readonly { name: string; label: string; color: string }[];
  write: (value: number | null) => string;
  axis: (value: number) => string;
  /** What a click on one of them does. */
  onChosen: ((place: number) => void) | undefined;
}

/** Bars over time, on top of each other where there are several kinds; one that may still grow is lighter. */
export default function Bars({ rows, series, write, axis, onChosen }: BarsProps) {
  const isNarrow = useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
  return (
    <BarChart
      h="100%"
      data={rows}
      dataKey="start"
      type="stacked"
      series={[...series]}
      gridAxis="x"
      strokeDasharray="0"
      tickLine="none"
      withBarValueLabel={false}
      maxBarWidth={40}
      barProps={{
        isAnimationActive: false,
        shape: drawn,
        // What is behind a small bar can be hit, too.
        ...(onChosen && {
          onClick: (_, place) => onChosen(place),
          background: { fill: "transparent" },
          cursor: "pointer",
        }),
      }}
      barChartProps={{ margin: { top: 14 }, barCategoryGap: "22%", accessibilityLayer: false }}
      xAxisProps={xAxis(rows.length, isNarrow)}
      yAxisProps={{ ...Y_AXIS, tickFormatter: axis, tickCount: 4, allowDecimals: false }}
      tooltipProps={{
        content: ({ payload }) => <ChartTip row={payload[0]?.payload} series={series} write={write} />,
      }}
      tooltipAnimationDuration={0}
    />
  );
}

const RING = 3;

function drawn(bar: BarShapeProps) {
  const { isOver, isPartly } = bar.payload as BarRow;
  const { x = 0, y = 0, width = 0, fill = "var(--accent)" } = bar;
  return (
    <>
      <Rectangle {...bar} fill={isOver ? fill : `color-mix(in srgb, ${fill} var(--unended), var(--card))`} />
      {isPartly && <circle className="partly" cx={x + width / 2} cy={y - RING - 3} r={RING} />}
    </>
  );
}
