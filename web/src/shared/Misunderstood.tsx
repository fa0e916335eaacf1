import { Button } from "@mantine/core";
import type { Problem } from "@/api/call";
import { EmptyState } from "./EmptyState";
import styles from "./shared.module.css";

const isOneOf = <Filter extends string>(labels: Record<Filter, string>, name: string): name is Filter =>
  Object.hasOwn(labels, name);

/** Whether it is filters alone that the service does not understand. */
export const isMisunderstood = (
  problem: Problem | null,
  labels: Record<string, string>,
): problem is Problem =>
  problem !== null &&
  problem.faults.length > 0 &&
  problem.faults.every(({ field }) => isOneOf(labels, field));

/** What is wrong with which filters, where it is they alone, in the words of who chose them. */
export const faultOf = (
  problem: Problem | null,
  labels: Record<string, string>,
  wanted: Record<string, string> = {},
): string | undefined =>
  isMisunderstood(problem, labels)
    ? problem.faults.map(({ field, message }) => `${labels[field]} ${wanted[field] ?? message}.`).join(" ")
    : undefined;

interface MisunderstoodProps<Filter extends string> {
  problem: Problem;
  labels: Record<Filter, string>;
  /** What is said of some in place of the service's words. */
  wanted?: Partial<Record<Filter, string>>;
  widen: (names: Filter[]) => void;
}

/** Which filters say nothing that can be looked for, and the way on without them. */
export function Misunderstood<Filter extends string>(props: MisunderstoodProps<Filter>) {
  const { problem, labels, wanted, widen } = props;
  const named = problem.faults.flatMap(({ field, message }) =>
    isOneOf(labels, field) ? [{ field, message: wanted?.[field] ?? message }] : [],
  );
  const isOne = named.length === 1;
  return (
    <div role="alert">
      <EmptyState
        title={isOne ? "This filter cannot be used" : "These filters cannot be used"}
        action={
          <Button variant="default" size="xs" onClick={() => widen(named.map(({ field }) => field))}>
            {isOne ? "Clear this filter" : "Clear these filters"}
          </Button>
        }
      >
        {named.map(({ field, message }) => (
          <span key={field} className={styles.fault}>
            <b>{labels[field]}</b> {message}.
          </span>
        ))}
      </EmptyState>
    </div>
  );
}
