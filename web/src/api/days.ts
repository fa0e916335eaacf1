import { Problem } from "./call";

interface Days {
  from?: string;
  to?: string;
}

/** Whether there is no day between the first and the last one; `to` is the end of the last. */
export const isBackwards = ({ from = "", to = "" }: Days): boolean => Date.parse(from) >= Date.parse(to);

/** Refuse days in which nothing can lie, in the words of who chooses days. */
export function checkDays(asked: Days): void {
  if (!isBackwards(asked)) return;
  const errors = [{ field: "to", message: "must not be before the first day" }];
  throw new Problem(422, "The request is not valid", "The last day is before the first one.", { errors });
}
