import { Button, Popover, SegmentedControl } from "@mantine/core";
import { useAccount } from "@/api/account";
import { isBackwards } from "@/api/days";
import { IconDown } from "@/shared/icons";
import { dayOrDate, shortTime } from "@/shared/times";
import { filtersOf } from "./narrowed";
import { RANGES } from "./ranges";
import styles from "./requests.module.css";
import { RangeFilter } from "./TypedFilter";
import { firstDay, lastDay } from "./units";
import type { FilterProps } from "./useNarrowed";

const ANY = "Any time";
const CHOICES = [
  { value: "", label: ANY },
  ...Object.entries(RANGES).map(([value, label]) => ({ value, label })),
];

/** When requests began: one of the ranges that are often asked for, or days of one's own. */
export function WhenFilter({ search, narrow }: FilterProps) {
  const timeZone = useAccount().data?.timeZone ?? "UTC";
  const { from = "", to = "" } = filtersOf(search);
  const told = search.range === undefined ? daysTold(from, to, timeZone) : RANGES[search.range];
  const isOwn = search.range === undefined && from + to !== "";
  return (
    <Popover position="bottom-start" width={320} trapFocus returnFocus withinPortal>
      <Popover.Target>
        <Button
          className={styles.when ?? ""}
          variant="default"
          size="xs"
          rightSection={<IconDown size={12} />}
          aria-label={`Started: ${told}`}
        >
          {told}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <div className={styles.ranges}>
          <SegmentedControl
            size="xs"
            orientation="vertical"
            aria-label="Started, in short"
            data={CHOICES}
            value={isOwn ? "own" : (search.range ?? "")}
            onChange={(range) => narrow({ range, from: "", to: "" })}
          />
          <RangeFilter
            label="Started"
            names={["from", "to"]}
            ends={["From", "To"]}
            type="date"
            units={[firstDay(timeZone), lastDay(timeZone)]}
            fault={isBackwards({ from, to }) && "Before the first day"}
            search={{ ...search, from, to }}
            // Whoever changes one end of a range keeps the other.
            narrow={(changes, how) => narrow({ from, to, ...changes, range: "" }, how)}
          />
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}

/** Nov 3; Nov 3 to Nov 9; from Nov 3; to Nov 9; what does not begin and end with a day, to the minute. */
function daysTold(from: string, to: string, timeZone: string): string {
  const [begin, end] = [told(from, firstDay(timeZone)), told(to, lastDay(timeZone))];
  if (begin === "" && end === "") return from + to === "" ? ANY : "Days";
  if (end === "") return `From ${begin}`;
  if (begin === "") return `To ${end}`;
  return begin === end ? begin : `${begin} to ${end}`;
}

function told(at: string, day: ReturnType<typeof firstDay>): string {
  const shown = day.shown(at);
  if (shown === "") return "";
  const isWhole = Date.parse(day.asked(shown)) === Date.parse(at);
  return isWhole ? dayOrDate(shown) : shortTime(at);
}
