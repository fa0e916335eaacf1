import { type ButtonProps, Button as Plain } from "@mantine/core";
import { type ComponentPropsWithoutRef, useState } from "react";

type Props = ButtonProps & ComponentPropsWithoutRef<"button">;

/**
 * A button that does something. While that goes on it cannot be pressed, but it keeps the focus: a button that is
 * switched off under whoever has pressed it by keyboard would leave them at the beginning of the page.
 */
export function Button({ loading = false, disabled = false, onClick, ...rest }: Props) {
  const [hasFocus, setHasFocus] = useState(false);
  const isOff = loading || disabled;
  return (
    <Plain
      {...rest}
      loading={loading}
      mod={{ disabled }}
      onFocus={() => setHasFocus(true)}
      onBlur={() => setHasFocus(false)}
      onClick={(event) => (isOff ? event.preventDefault() : onClick?.(event))}
      renderRoot={(root) => (
        <button {...root} disabled={isOff && !hasFocus} aria-disabled={isOff || undefined} />
      )}
    />
  );
}
