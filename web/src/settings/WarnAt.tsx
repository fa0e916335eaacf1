import { Checkbox, TextInput } from "@mantine/core";
import { percent } from "@/shared/format";
import { Row } from "./Row";
import styles from "./settings.module.css";

interface WarnAtProps {
  /** One's own percentages as they are typed; null: those of the plan. */
  own: string | null;
  plan: number[];
  fault: string | undefined;
  onChange: (own: string | null) => void;
}

/** At how much of one's limits one is warned. */
export function WarnAt({ own, plan, fault, onChange }: WarnAtProps) {
  return (
    <Row
      label="Warnings"
      about="At how much of each limit you are warned. That all of it is used is told in any case."
    >
      <Checkbox
        label={`As the plan says: ${plan.map((each) => percent(each / 100)).join(", ") || "at no share"}`}
        checked={own === null}
        onChange={({ currentTarget: { checked } }) => onChange(checked ? null : plan.join(", "))}
      />
      {own !== null && (
        <TextInput
          className={styles.percents}
          label="At these percentages"
          description="Up to ten whole numbers from 1 to 100, such as 50, 80, 95."
          value={own}
          error={fault}
          onChange={({ currentTarget: { value } }) => onChange(value)}
        />
      )}
    </Row>
  );
}
