import { Checkbox, SegmentedControl } from "@mantine/core";
import { counted } from "@/shared/format";
import type { Cycle } from "./terms";

const LABELS: Record<Cycle, string> = { monthly: "Monthly", yearly: "Yearly" };

export interface Choice {
  cycle: Cycle;
  isTrial: boolean;
}

interface ChoicesProps {
  /** How a plan can be paid; of one there is nothing to choose. */
  cycles: Cycle[];
  trialDays: number;
  chosen: Choice;
  onChoose: (choice: Choice) => void;
}

/** How a plan is to be paid, and whether to try it first. */
export function Choices({ cycles, trialDays, chosen, onChoose }: ChoicesProps) {
  return (
    <>
      {cycles.length > 1 && (
        <SegmentedControl
          aria-label="How it is paid"
          size="xs"
          data={cycles.map((value) => ({ value, label: LABELS[value] }))}
          value={chosen.cycle}
          onChange={(value) => onChoose({ ...chosen, cycle: value as Cycle })}
        />
      )}
      {trialDays > 0 && (
        <Checkbox
          size="xs"
          label={`Try it for ${counted(trialDays, "day")} first`}
          checked={chosen.isTrial}
          onChange={({ currentTarget }) => onChoose({ ...chosen, isTrial: currentTarget.checked })}
        />
      )}
    </>
  );
}
