import { Autocomplete, Button, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useState } from "react";
import type { Dashboard } from "@/api/types";
import { IconSearch } from "@/shared/icons";
import { nameOf } from "@/usage/measure";
import { MoreFilters } from "./MoreFilters";
import type { Narrowed } from "./narrowed";
import styles from "./requests.module.css";

export interface FilterProps {
  search: Narrowed;
  narrow: (changes: Partial<Record<keyof Narrowed, string>>) => void;
}

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
const PAUSE_MS = 300;

/** What a list of requests can be narrowed to: the most used at once, the others behind a button. */
export function RequestFilterBar({ search, narrow, widen, howMany, known }: RequestFilterBarProps) {
  return (
    <search className={styles.bar} aria-label="Filters">
      <SearchField search={search} narrow={narrow} />
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
        value={search.model}
        known={known?.requestsByModel}
        onChange={(model) => narrow({ model })}
      />
      <Suggested
        label="Category"
        value={search.category}
        known={known?.requestsByCategory}
        onChange={(category) => narrow({ category })}
      />
      <MoreFilters search={search} narrow={narrow} types={Object.keys(known?.requestsByType ?? {})} />
      {howMany > 0 && (
        <Button variant="subtle" color="gray" size="xs" onClick={widen}>
          Clear {howMany === 1 ? "filter" : `${howMany} filters`}
        </Button>
      )}
    </search>
  );
}

function SearchField({ search, narrow }: FilterProps) {
  const [text, setText] = useState(search.q ?? "");
  const tell = useDebouncedCallback((q: string) => narrow({ q }), PAUSE_MS);
  useEffect(() => setText(search.q ?? ""), [search.q]);
  return (
    <TextInput
      className={styles.search ?? ""}
      size="xs"
      type="search"
      maxLength={200}
      aria-label="Search in prompts and responses"
      placeholder="Search prompts and responses"
      leftSection={<IconSearch size={14} />}
      value={text}
      onChange={({ currentTarget: { value } }) => {
        setText(value);
        tell(value.trim());
      }}
    />
  );
}

interface SuggestedProps {
  label: string;
  value: string | undefined;
  known: Record<string, number> | undefined;
  onChange: (value: string) => void;
}

const NAMELESS = new Set(["unknown", "uncategorized"]);

/** A choice among what there is, the most used first; another can be typed. */
function Suggested({ label, value, known, onChange }: SuggestedProps) {
  const [text, setText] = useState(value ?? "");
  useEffect(() => setText(value ?? ""), [value]);
  const names = Object.entries(known ?? {})
    .toSorted(([, a], [, b]) => b - a)
    .map(([name]) => name)
    .filter((name) => !NAMELESS.has(name));
  const done = () => text !== (value ?? "") && onChange(text);
  return (
    <Autocomplete
      size="xs"
      aria-label={label}
      placeholder={label}
      clearable
      maxLength={200}
      data={names.map((name) => ({ value: name, label: nameOf(name) }))}
      value={text}
      onChange={(typed) => {
        setText(typed);
        if (typed === "") onChange("");
      }}
      onOptionSubmit={onChange}
      onBlur={done}
      onKeyDown={({ key }) => key === "Enter" && done()}
    />
  );
}
