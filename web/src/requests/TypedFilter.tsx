import { TypedField } from "@/shared/TypedField";
import type { Narrowed } from "./narrowed";
import styles from "./requests.module.css";
import { PLAIN, type Unit } from "./units";
import type { FilterProps } from "./useNarrowed";

interface TypedFilterProps extends FilterProps {
  name: keyof Narrowed;
  label: string;
  /** Said by a screen reader in place of the label, where that is short because of what stands above it. */
  whole?: string;
  type?: "date" | "number" | "text";
  unit?: Unit;
  /** What the number is of: $ before it, s behind it. */
  before?: string;
  behind?: string;
  /** What is wrong with it. */
  fault?: string | false;
}

/** A field that counts once one leaves it or presses Enter. */
export function TypedFilter(props: TypedFilterProps) {
  const { name, label, whole, type = "text", unit = PLAIN, before, behind, fault, search, narrow } = props;
  return (
    <TypedField
      size="xs"
      type={type}
      label={label}
      aria-label={whole}
      error={fault}
      {...(type === "number" ? { min: 0, step: "any", inputMode: "decimal" as const } : {})}
      leftSection={before}
      rightSection={behind}
      leftSectionWidth={22}
      rightSectionWidth={22}
      value={unit.shown(search[name] ?? "")}
      onDone={(typed) => narrow({ [name]: unit.asked(typed) })}
    />
  );
}

interface RangeFilterProps extends Omit<TypedFilterProps, "name" | "whole" | "unit" | "fault"> {
  names: readonly [keyof Narrowed, keyof Narrowed];
  units: readonly [Unit, Unit];
  /** What its two ends are called. */
  ends?: readonly [string, string];
  /** What is wrong with the second, beside the first. */
  fault?: string | false;
}

/** From something on, up to something, or both. */
export function RangeFilter({
  label,
  names,
  units,
  ends = ["From", "Up to"],
  fault = false,
  ...rest
}: RangeFilterProps) {
  return (
    <fieldset className={styles.range}>
      <legend>{label}</legend>
      <div className={styles.two}>
        {names.map((name, place) => (
          <TypedFilter
            key={name}
            name={name}
            label={ends[place] ?? ""}
            whole={`${label}, ${ends[place]?.toLowerCase()}`}
            unit={units[place] ?? PLAIN}
            fault={place === 1 && fault}
            {...rest}
          />
        ))}
      </div>
    </fieldset>
  );
}
