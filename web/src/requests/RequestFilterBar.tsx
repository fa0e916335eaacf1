import { Autocomplete, Button, Select } from "@mantine/core";
import { useEffect, useState } from "react";
import type { Dashboard, Dimension } from "@/api/types";
import { SearchField } from "@/shared/SearchField";
import { nameOf } from "@/usage/measure";
import { MoreFilters } from "./MoreFilters";
import styles from "./requests.module.css";
import type { FilterProps } from "./useNarrowed";
import { WhenFilter } from "./WhenFilter";

interface RequestFilterBarProps extends FilterProps {
  widen: () => void;
  howMany: number;
  /** Of whom the requests are: what they have used is suggested. */
  known: Dashboard | undefined;
}

const STATUSES = [
  { value: "completed", label: "Completed" },
  { value: "failed", label: "Failed" },
  { value: "pending", label: "Pending" },
];

/** What a list of requests can be narrowed to: the most used at once, the others behind a button. */
export function RequestFilterBar({ search, narrow, widen, howMany, known }: RequestFilterBarProps) {
  return (
    <search className={styles.bar} aria-label="Filters">
      <SearchField
        className={styles.search}
        label="Search in prompts and responses"
        hint="Search prompts and responses"
        value={search.q}
        onSearch={(q, isSameStep) => narrow({ q }, { isSameStep })}
      />
      <Select
        size="xs"
        aria-label="Status"
        placeholder="Status"
        clearable
        data={STATUSES}
        value={search.status ?? null}
        onChange={(status) => narrow({ status: status ?? "" })}
      />
      <Suggested
        label="Model"
        dimension="model"
        value={search.model}
        known={known?.requestsByModel}
        onChange={(model) => narrow({ model })}
      />
      <Suggested
        label="Category"
        dimension="category"
        value={search.category}
        known={known?.requestsByCategory}
        onChange={(category) => narrow({ category })}
      />
      <WhenFilter search={search} narrow={narrow} />
      <MoreFilters search={search} narrow={narrow} types={Object.keys(known?.requestsByType ?? {})} />
      {howMany > 0 && (
        <Button variant="subtle" color="gray" size="xs" onClick={() => widen()}>
          Clear {howMany === 1 ? "filter" : `${howMany} filters`}
        </Button>
      )}
    </search>
  );
}

const SUGGESTED = {
  input: styles.chosen ?? "",
  dropdown: styles.suggestions ?? "",
  option: styles.suggestion ?? "",
};

interface SuggestedProps {
  label: string;
  dimension: Dimension;
  value: string | undefined;
  known: Record<string, number> | undefined;
  onChange: (value: string) => void;
}

/** A choice among what there is, the most used first; another can be typed. */
function Suggested({ label, dimension, value = "", known, onChange }: SuggestedProps) {
  const [text, setText] = useState(nameOf(value, dimension));
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => setText(nameOf(value, dimension)), [value, dimension]);
  const keys = Object.entries(known ?? {})
    .toSorted(([, a], [, b]) => b - a)
    .map(([key]) => key);
  const choose = (typed: string) => {
    const key = keys.find((each) => nameOf(each, dimension) === typed) ?? typed.trim();
    if (key !== value) onChange(key);
  };
  const chooseAndClose = () => {
    choose(text);
    setIsOpen(false);
  };
  return (
    <Autocomplete
      size="xs"
      classNames={SUGGESTED}
      // As wide as what is suggested: names may differ at their ends alone.
      comboboxProps={{ width: "max-content", position: "bottom-start" }}
      dropdownOpened={isOpen}
      onDropdownOpen={() => setIsOpen(true)}
      onDropdownClose={() => setIsOpen(false)}
      aria-label={label}
      placeholder={label}
      title={text}
      clearable
      maxLength={200}
      data={[...new Set(keys.map((key) => nameOf(key, dimension)))]}
      value={text}
      onChange={(typed) => {
        setText(typed);
        if (typed === "") choose("");
      }}
      onOptionSubmit={choose}
      onBlur={() => choose(text)}
      onKeyDown={({ key }) => key === "Enter" && chooseAndClose()}
    />
  );
}
