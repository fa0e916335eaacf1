import { BarChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import "./charts.css";

interface BarsProps {
  rows: Record<string, string | number | null>[];
  series: { name: string; label: string; color: string }[];
  write: (value: number) => string;
  axis: (value: number) => string;
}

/** Bars over time, on top of each other where there are several kinds. */
export default function Bars({ rows, series, write, axis }: BarsProps) {
  return (
    <BarChart
      h="100%"
      data={rows}
      dataKey="start"
      type="stacked"
      series={series}
      valueFormatter={write}
      gridAxis="x"
      strokeDasharray="0"
      tickLine="none"
      withBarValueLabel={false}
      maxBarWidth={40}
      barProps={{ isAnimationActive: false }}
      barChartProps={{ margin: { top: 8 }, barCategoryGap: "22%", accessibilityLayer: false }}
      xAxisProps={{ interval: "equidistantPreserveStart", minTickGap: 28, tickMargin: 8 }}
      yAxisProps={{ width: 52, tickFormatter: axis, tickCount: 4, allowDecimals: false }}
      tooltipAnimationDuration={0}
    />
  );
}
