import { Button, Popover, Select } from "@mantine/core";
import { IconFilter } from "@/shared/icons";
import styles from "./requests.module.css";
import { RangeFilter, TypedFilter } from "./TypedFilter";
import { DOLLARS, SECONDS } from "./units";
import type { FilterProps } from "./useNarrowed";

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
            <TypedFilter name="sessionId" label="Session" search={search} narrow={narrow} />
          </div>
          <RangeFilter
            label="Cost"
            names={["minCost", "maxCost"]}
            type="number"
            before="$"
            units={[DOLLARS, DOLLARS]}
            search={search}
            narrow={narrow}
          />
          <RangeFilter
            label="Time"
            names={["minDuration", "maxDuration"]}
            type="number"
            behind="s"
            units={[SECONDS, SECONDS]}
            search={search}
            narrow={narrow}
          />
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}
