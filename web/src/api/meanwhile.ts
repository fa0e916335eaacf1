/**
 * What stands in for an answer until it comes: that of before, if it found anything.
 *
 * That there was nothing says nothing of what is asked now.
 */

import type { InfiniteData } from "@tanstack/react-query";
import type { Measures } from "./types";

/** For lists that come page by page. */
export function foundBefore<Page extends { items: unknown[] }, Position>(
  before: InfiniteData<Page, Position> | undefined,
): InfiniteData<Page, Position> | undefined {
  return before?.pages.some(({ items }) => items.length > 0) ? before : undefined;
}

/** For sums of a period. */
export function usedBefore<Sums extends { totals: Pick<Measures, "requests"> }>(
  before: Sums | undefined,
): Sums | undefined {
  return before !== undefined && before.totals.requests > 0 ? before : undefined;
}
