import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";
import { IconSearch } from "./icons";

const PAUSE_MS = 300;

interface SearchFieldProps {
  className: string | undefined;
  label: string;
  hint: string;
  value: string | undefined;
  /** What is looked for, after a pause in typing; whether one is still at the text that was told before. */
  onSearch: (text: string, isSameStep: boolean) => void;
}

/** Searches while one types. One visit of the field is one step back, however much is typed. */
export function SearchField({ className = "", label, hint, value = "", onSearch }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const told = useRef<string | null>(null);
  const tell = useDebouncedCallback((typed: string) => {
    const isSameStep = told.current !== null;
    if (typed === (told.current ?? value)) return;
    told.current = typed;
    onSearch(typed, isSameStep);
  }, PAUSE_MS);
  useEffect(() => {
    // What is told comes back by the address, without the space that one has just typed.
    if (told.current === value) return;
    told.current = null;
    setText(value);
  }, [value]);
  return (
    <TextInput
      className={className}
      size="xs"
      type="search"
      maxLength={200}
      aria-label={label}
      placeholder={hint}
      leftSection={<IconSearch size={14} />}
      value={text}
      onChange={({ currentTarget }) => {
        setText(currentTarget.value);
        tell(currentTarget.value.trim());
      }}
      onBlur={() => {
        tell.flush();
        told.current = null;
      }}
    />
  );
}
