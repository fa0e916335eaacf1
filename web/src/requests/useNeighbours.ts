import { useHotkeys } from "@mantine/hooks";
import { useRequests } from "@/api/requests";
import { filtersOf } from "./narrowed";
import { useNarrowed } from "./useNarrowed";

interface Neighbours {
  /** Undefined where nothing stands before or behind it in the list. */
  previous: (() => void) | undefined;
  next: (() => void) | undefined;
}

/** The ways from the request that is open to those beside it in the list, also by K and J; null if it is not listed. */
export function useNeighbours(userId: string | undefined, isActive: boolean): Neighbours | null {
  const { search, narrow } = useNarrowed();
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = useRequests(filtersOf(search), userId);
  const ids = data?.pages.flatMap(({ items }) => items.map(({ id }) => id)) ?? [];
  const at = ids.indexOf(search.open ?? "");
  const wayTo = (place: number) => {
    const id = ids[place];
    if (at < 0 || id === undefined) return undefined;
    return () => {
      narrow({ open: id }, { isSameStep: true });
      if (place === ids.length - 1 && hasNextPage && !isFetchingNextPage) void fetchNextPage();
    };
  };
  const previous = wayTo(at - 1);
  const next = wayTo(at + 1);
  const go = (way: typeof next) => isActive && way?.();
  useHotkeys([
    ["K", () => go(previous)],
    ["J", () => go(next)],
  ]);
  return at < 0 ? null : { previous, next };
}
