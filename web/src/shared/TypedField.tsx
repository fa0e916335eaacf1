import { TextInput, type TextInputProps } from "@mantine/core";
import { useEffect, useRef } from "react";

interface TypedFieldProps extends Omit<TextInputProps, "value" | "defaultValue" | "onChange" | "onBlur"> {
  value: string;
  /** Hears what was typed, once one leaves the field or presses Enter. */
  onDone: (typed: string) => void;
}

/** A field that counts once one has typed in it. It follows what it stands for, and keeps the focus as it does. */
export function TypedField({ value, onDone, ...rest }: TypedFieldProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (field.current !== null) field.current.value = value;
  }, [value]);
  const done = ({ value: typed }: HTMLInputElement) => {
    if (typed.trim() !== value) onDone(typed.trim());
  };
  return (
    <TextInput
      {...rest}
      ref={field}
      defaultValue={value}
      onBlur={({ currentTarget }) => done(currentTarget)}
      onKeyDown={({ key, currentTarget }) => key === "Enter" && done(currentTarget)}
    />
  );
}
