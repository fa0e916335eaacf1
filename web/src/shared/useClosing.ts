import { useLocation, useRouter } from "@tanstack/react-router";
import { useEffect, useRef } from "react";

/** Steps of the history before which the same list stood with nothing open. */
const opened = new Set<string>();

/**
 * How what is open beside a list, as `open` in the address, is closed: back to the list where one came from there, so that
 * *Back* does not open it once more; else by `take`, which takes it out of the step.
 */
export function useClosing(take: () => void): () => void {
  const { history } = useRouter();
  const { pathname, search, state } = useLocation();
  const now = {
    pathname,
    isOpen: "open" in search,
    key: state.__TSR_key ?? "",
    index: state.__TSR_index,
  };
  const before = useRef(now);
  useEffect(() => {
    const isNext = now.pathname === before.current.pathname && now.index === before.current.index + 1;
    if (isNext && now.isOpen && !before.current.isOpen) opened.add(now.key);
    before.current = now;
  });
  // Once alone: whoever presses twice is not to leave the list.
  return () => (opened.delete(now.key) ? history.back() : take());
}
