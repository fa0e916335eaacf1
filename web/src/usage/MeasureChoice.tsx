import { SegmentedControl } from "@mantine/core";
import { MEASURES, type Measure } from "./measure";

const CHOICES = Object.entries(MEASURES).map(([value, { label }]) => ({ value, label }));

interface MeasureChoiceProps {
  measure: Measure;
  onChange: (measure: Measure) => void;
}

/** What is counted: requests, tokens or money. */
export function MeasureChoice({ measure, onChange }: MeasureChoiceProps) {
  return (
    <SegmentedControl
      size="xs"
      aria-label="What is counted"
      value={measure}
      data={CHOICES}
      onChange={(chosen) => onChange(chosen as Measure)}
    />
  );
}
