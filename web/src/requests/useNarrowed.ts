import { useNavigate, useSearch } from "@tanstack/react-router";
import { FILTERS, type Narrowed } from "./narrowed";

/** The filters as the address has them, and how to change them: back and forth works, and a link can be shared. */
export function useNarrowed() {
  const search = useSearch({ strict: false }) as Narrowed;
  const navigate = useNavigate();
  const go = (change: (before: Narrowed) => Narrowed, replace: boolean) =>
    void navigate({ to: ".", search: change as never, replace, resetScroll: false });
  return {
    search,
    /** Set some filters; an empty one is taken away. */
    narrow: (changes: Partial<Record<keyof Narrowed, string>>) =>
      go(
        (before) =>
          Object.fromEntries(
            Object.entries({ ...before, ...changes }).filter(([, value]) => Boolean(value)),
          ) as Narrowed,
        true,
      ),
    /** Take all filters away. */
    widen: () => go((before) => without(before, FILTERS), false),
    close: () => go((before) => without(before, ["open"]), false),
    howMany: FILTERS.filter((name) => search[name] !== undefined).length,
  };
}

function without(search: Narrowed, names: readonly (keyof Narrowed)[]): Narrowed {
  return Object.fromEntries(
    Object.entries(search).filter(([name]) => !names.some((each) => each === name)),
  ) as Narrowed;
}
