import { type UseMutationOptions, type UseMutationResult, useMutation } from "@tanstack/react-query";
import { useCallback, useLayoutEffect, useRef } from "react";
import { Problem } from "./call";

type Mutation<Answer, Told> = UseMutationOptions<Answer, Problem, Told>;

type Options<Answer, Told> = Omit<Mutation<Answer, Told>, "mutationFn"> & {
  mutationFn: NonNullable<Mutation<Answer, Told>["mutationFn"]>;
  /** Several may go on beside each other, as of the rows of a table: only the same one is not begun twice. */
  isOfMany?: boolean;
};

const ONE = "";

// Nothing here tries again by itself: it might be done twice.
const NOT_DONE = "Nothing is known to be saved. Check your connection, then press again.";

/** What could not be reached is told in the words of what somebody has done. */
function refused(error: unknown): never {
  throw error instanceof Problem && error.status === 0 ? new Problem(0, error.title, NOT_DONE) : error;
}

/**
 * What somebody does by a button or a form, once at a time: whoever presses twice has it done once.
 *
 * That it goes on is drawn a render late, and a second click or Enter comes before. So it is noted here as it begins,
 * until its end is drawn.
 */
export function useAct<Answer, Told = void>({
  isOfMany = false,
  mutationFn,
  ...options
}: Options<Answer, Told>): UseMutationResult<Answer, Problem, Told> {
  type Acting = UseMutationResult<Answer, Problem, Told>;
  const acting: Acting = useMutation({
    ...options,
    // Also while the browser thinks that it is offline: else it would wait without a word.
    networkMode: "always",
    mutationFn: (...told) => mutationFn(...told).catch(refused),
  });
  const underWay = useRef(new Map<string, Promise<Answer>>()).current;
  useLayoutEffect(() => {
    if (!isOfMany && !acting.isPending) underWay.clear();
  });
  const begin = acting.mutateAsync;
  const mutateAsync: Acting["mutateAsync"] = useCallback(
    (...told) => {
      const which = isOfMany ? JSON.stringify(told[0]) : ONE;
      const before = underWay.get(which);
      if (before !== undefined) return before;
      const begun = begin(...told);
      underWay.set(which, begun);
      if (isOfMany) void begun.catch(() => undefined).finally(() => underWay.delete(which));
      return begun;
    },
    [begin, isOfMany, underWay],
  );
  const mutate: Acting["mutate"] = useCallback(
    (...told) => void mutateAsync(...told).catch(() => undefined),
    [mutateAsync],
  );
  return { ...acting, mutate, mutateAsync };
}
