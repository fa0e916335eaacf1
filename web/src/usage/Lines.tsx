import { LineChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import { useMediaQuery } from "@mantine/hooks";
import { durationAxis, NARROW, xAxis, Y_AXIS } from "./axis";
import { ChartTip } from "./ChartTip";
import "./charts.css";

interface LinesProps {
  rows: Record<string, string | number | null>[];
  series: readonly { name: string; label: string; color: string }[];
  write: (value: number | null) => string;
}

/** Durations over time. Where nothing is known there is a gap, and a lonely day is a dot. */
export default function Lines({ rows, series, write }: LinesProps) {
  const isNarrow = useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
  const longest = Math.max(0, ...rows.flatMap((row) => series.map(({ name }) => Number(row[name] ?? 0))));
  const axis = durationAxis(longest);
  return (
    <LineChart
      h="100%"
      data={rows}
      dataKey="start"
      series={[...series]}
      gridAxis="x"
      strokeDasharray="0"
      tickLine="none"
      strokeWidth={1.75}
      curveType="linear"
      connectNulls={false}
      dotProps={{ r: 2, strokeWidth: 0 }}
      activeDotProps={{ r: 4, strokeWidth: 0 }}
      lineProps={{ isAnimationActive: false }}
      lineChartProps={{ margin: { top: 8 }, accessibilityLayer: false }}
      xAxisProps={{ ...xAxis(rows.length, isNarrow), padding: { left: 20, right: 20 } }}
      yAxisProps={{
        ...Y_AXIS,
        tickFormatter: axis.write,
        ticks: axis.ticks,
        domain: [0, axis.ticks.at(-1) ?? "auto"],
        interval: 0,
      }}
      tooltipProps={{
        content: ({ payload }) => <ChartTip row={payload[0]?.payload} series={series} write={write} />,
      }}
      tooltipAnimationDuration={0}
    />
  );
}
