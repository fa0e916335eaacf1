import type { Column } from "@/shared/Table";
import { exactTime, lastDayOf } from "@/shared/times";
import { Until } from "@/shared/Until";

/** Until when an exception holds, or held. */
export function untilOf<One>(endOf: (one: One) => string | null): Column<One> {
  return {
    label: "Until",
    isSoft: true,
    before: (one) => (lastDayOf(endOf(one) ?? "") === undefined ? "until" : undefined),
    isNone: (one) => endOf(one) === null,
    title: (one) => {
      const end = endOf(one);
      return end === null ? undefined : exactTime(end);
    },
    of: (one) => {
      const end = endOf(one);
      return end === null ? "No end" : <Until at={end} />;
    },
  };
}
