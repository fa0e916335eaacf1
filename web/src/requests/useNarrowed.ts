import { useNavigate, useSearch } from "@tanstack/react-router";
import { useClosing } from "@/shared/useClosing";
import { FILTERS, type Narrowed, narrowed } from "./narrowed";

export type Changes = Partial<Record<keyof Narrowed, string>>;

const ALL = [...FILTERS, "range"] as const;

/** How the address changes: a new step, which Back undoes, or the same one written anew. */
export interface How {
  isSameStep?: boolean;
}

/** What every filter is given: all of them as they stand, and how to change some. */
export interface FilterProps {
  search: Narrowed;
  narrow: (changes: Changes, how?: How) => void;
}

/** The filters as the address has them, and how to change them: back and forth works, and a link can be shared. */
export function useNarrowed() {
  const search = narrowed(useSearch({ strict: false }));
  const navigate = useNavigate();
  const go = (change: (before: Narrowed) => Narrowed, replace = false) =>
    void navigate({ to: ".", search: change as never, replace, resetScroll: false });
  const close = useClosing(() => go((before) => without(before, ["open"]), true));
  return {
    search,
    /** Set some filters; an empty one is taken away. */
    narrow: (changes: Changes, { isSameStep = false }: How = {}) =>
      go((before) => set(before, changes), isSameStep),
    /** Take some filters away, or all. */
    widen: (names: readonly (keyof Narrowed)[] = ALL) => go((before) => without(before, names)),
    close,
    howMany: ALL.filter((name) => search[name] !== undefined).length,
  };
}

const set = (search: Narrowed, changes: Changes): Narrowed =>
  Object.fromEntries(Object.entries({ ...search, ...changes }).filter(([, value]) => Boolean(value)));

const without = (search: Narrowed, names: readonly (keyof Narrowed)[]): Narrowed =>
  Object.fromEntries(Object.entries(search).filter(([name]) => !names.some((each) => each === name)));
