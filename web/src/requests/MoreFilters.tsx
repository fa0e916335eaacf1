import { Button, Popover, Select, TextInput } from "@mantine/core";
import { IconFilter } from "@/shared/icons";
import type { Narrowed } from "./narrowed";
import type { FilterProps } from "./RequestFilterBar";
import styles from "./requests.module.css";

const COMPLEXITIES = ["low", "medium", "high"];
const RATINGS = [
  { value: "any", label: "Rated" },
  { value: "none", label: "Not rated" },
  ...[5, 4, 3, 2, 1].map((rating) => ({ value: String(rating), label: `${rating} of 5` })),
];
const MINE = [
  "requestType",
  "complexity",
  "rating",
  "sessionId",
  "from",
  "to",
  "minCost",
  "maxCost",
  "minDuration",
  "maxDuration",
] as const;

/** The filters that one needs now and then. */
export function MoreFilters({ search, narrow, types }: FilterProps & { types: string[] }) {
  const set = MINE.filter((name) => search[name] !== undefined).length;
  return (
    <Popover position="bottom-end" width={320} trapFocus withinPortal>
      <Popover.Target>
        <Button variant="default" size="xs" leftSection={<IconFilter size={14} />}>
          {set > 0 ? `More (${set})` : "More"}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <div className={styles.more}>
          <div className={styles.two}>
            <Select
              size="xs"
              label="Type"
              clearable
              data={types}
              value={search.requestType ?? null}
              comboboxProps={{ withinPortal: false }}
              onChange={(requestType) => narrow({ requestType: requestType ?? "" })}
            />
            <Select
              size="xs"
              label="Complexity"
              clearable
              data={COMPLEXITIES}
              value={search.complexity ?? null}
              comboboxProps={{ withinPortal: false }}
              onChange={(complexity) => narrow({ complexity: complexity ?? "" })}
            />
          </div>
          <div className={styles.two}>
            <Select
              size="xs"
              label="Rating"
              clearable
              data={RATINGS}
              value={search.rating ?? null}
              comboboxProps={{ withinPortal: false }}
              onChange={(rating) => narrow({ rating: rating ?? "" })}
            />
            <Typed name="sessionId" label="Session" search={search} narrow={narrow} />
          </div>
          <Range label="Started" names={["from", "to"]} type="date" search={search} narrow={narrow} />
          <Range
            label="Cost, in cents"
            names={["minCost", "maxCost"]}
            type="number"
            search={search}
            narrow={narrow}
          />
          <Range
            label="Time, in ms"
            names={["minDuration", "maxDuration"]}
            type="number"
            search={search}
            narrow={narrow}
          />
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}

interface RangeProps extends FilterProps {
  label: string;
  names: [keyof Narrowed, keyof Narrowed];
  type: "date" | "number";
}

function Range({ label, names: [least, most], type, search, narrow }: RangeProps) {
  return (
    <fieldset className={styles.range}>
      <legend>{label}</legend>
      <div className={styles.two}>
        <Typed
          name={least}
          label={`${label}: from`}
          hint="from"
          type={type}
          search={search}
          narrow={narrow}
        />
        <Typed
          name={most}
          label={`${label}: up to`}
          hint="up to"
          type={type}
          search={search}
          narrow={narrow}
        />
      </div>
    </fieldset>
  );
}

interface TypedProps extends FilterProps {
  name: keyof Narrowed;
  label: string;
  /** Said inside the field, which then has no label above it. */
  hint?: string;
  type?: "date" | "number" | "text";
}

/** A field that counts once one leaves it or presses Enter. */
function Typed({ name, label, hint, type = "text", search, narrow }: TypedProps) {
  const value = search[name] ?? "";
  const done = (typed: string) => typed !== value && narrow({ [name]: typed });
  const naming = hint === undefined ? { label } : { "aria-label": label, placeholder: hint };
  return (
    <TextInput
      key={value}
      size="xs"
      type={type}
      min={type === "number" ? 0 : undefined}
      {...naming}
      defaultValue={value}
      onBlur={({ currentTarget }) => done(currentTarget.value)}
      onKeyDown={({ key, currentTarget }) => key === "Enter" && done(currentTarget.value)}
    />
  );
}
