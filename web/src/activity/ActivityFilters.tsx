import { Button, Select } from "@mantine/core";
import { useAccount } from "@/api/account";
import { type ActivityAsked, activityAddress, type Whose } from "@/api/activity";
import { isBackwards } from "@/api/days";
import { firstDay, lastDay } from "@/requests/units";
import { DownloadMenu } from "@/shared/DownloadMenu";
import { SearchField } from "@/shared/SearchField";
import { TypedField } from "@/shared/TypedField";
import styles from "./activity.module.css";
import { choices } from "./words";

interface ActivityFiltersProps {
  whose: Whose;
  asked: ActivityAsked;
  ask: (changes: ActivityAsked, isSameStep?: boolean) => void;
  /** Which of them cannot be used, and why. */
  fault: string | undefined;
}

/** What a list of acts is narrowed to, and all that matches as a file. */
export function ActivityFilters({ whose, asked, ask, fault }: ActivityFiltersProps) {
  const isNarrowed = Object.keys(asked).length > 0;
  return (
    <search className={styles.bar} aria-label="Filters">
      <Select
        className={styles.action ?? ""}
        size="xs"
        aria-label="What was done"
        placeholder="What was done"
        clearable
        searchable
        data={choices(whose === "all")}
        value={asked.action ?? null}
        onChange={(action) => ask({ action: action ?? "" })}
      />
      {whose === "all" && (
        <>
          <SearchField
            className={styles.person}
            label="Whose account"
            hint="Account: e-mail or id"
            value={asked.user}
            onSearch={(user, isSameStep) => ask({ user }, isSameStep)}
          />
          <SearchField
            className={styles.person}
            label="Who did it"
            hint="Who: e-mail, id, key:ID"
            value={asked.actor}
            onSearch={(actor, isSameStep) => ask({ actor }, isSameStep)}
          />
        </>
      )}
      <Days asked={asked} ask={ask} />
      {isNarrowed && (
        <Button
          variant="subtle"
          color="gray"
          size="xs"
          onClick={() => ask({ action: "", from: "", to: "", user: "", actor: "" })}
        >
          Clear
        </Button>
      )}
      <div className={styles.download}>
        <DownloadMenu
          name="activity"
          address={(format) => activityAddress(whose, asked, format)}
          fault={fault}
        />
      </div>
    </search>
  );
}

/** From a day on, and up to one: whole days of the user's zone. */
function Days({ asked, ask }: Pick<ActivityFiltersProps, "asked" | "ask">) {
  const timeZone = useAccount().data?.timeZone ?? "UTC";
  const ends = [
    { name: "from", label: "From", unit: firstDay(timeZone) },
    { name: "to", label: "Up to", unit: lastDay(timeZone) },
  ] as const;
  return ends.map(({ name, label, unit }) => (
    <TypedField
      key={name}
      size="xs"
      type="date"
      aria-label={label}
      error={isBackwards(asked)}
      leftSection={<span className={styles.end}>{label}</span>}
      leftSectionWidth={name === "from" ? 44 : 52}
      value={unit.shown(asked[name] ?? "")}
      onDone={(day) => ask({ [name]: unit.asked(day) })}
    />
  ));
}
