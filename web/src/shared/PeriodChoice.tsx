import { SegmentedControl } from "@mantine/core";
import { type Days, PERIODS, periodName } from "./period";

const CHOICES = PERIODS.map((days) => ({ value: String(days), label: periodName(days) }));

/** How far is looked back. */
export function PeriodChoice({ days, onChange }: { days: Days; onChange: (days: Days) => void }) {
  return (
    <SegmentedControl
      size="xs"
      aria-label="Period"
      value={String(days)}
      data={CHOICES}
      onChange={(chosen) => onChange(Number(chosen) as Days)}
    />
  );
}
