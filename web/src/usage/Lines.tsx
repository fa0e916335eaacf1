import { LineChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import "./charts.css";

interface LinesProps {
  rows: Record<string, string | number | null>[];
  series: readonly { name: string; label: string; color: string }[];
  write: (value: number) => string;
}

/** Lines over time. Where nothing is known there is a gap, and a lonely day is a dot. */
export default function Lines({ rows, series, write }: LinesProps) {
  return (
    <LineChart
      h="100%"
      data={rows}
      dataKey="start"
      series={[...series]}
      valueFormatter={write}
      gridAxis="x"
      strokeDasharray="0"
      tickLine="none"
      strokeWidth={1.75}
      curveType="linear"
      connectNulls
      dotProps={{ r: 2, strokeWidth: 0 }}
      activeDotProps={{ r: 4, strokeWidth: 0 }}
      lineProps={{ isAnimationActive: false }}
      lineChartProps={{ margin: { top: 8 }, accessibilityLayer: false }}
      xAxisProps={{ interval: "equidistantPreserveStart", minTickGap: 28, tickMargin: 8 }}
      yAxisProps={{ width: 60, tickFormatter: write, tickCount: 4 }}
      tooltipAnimationDuration={0}
    />
  );
}
