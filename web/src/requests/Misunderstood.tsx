import { Button } from "@mantine/core";
import type { Problem } from "@/api/call";
import { EmptyState } from "@/shared/EmptyState";
import { FILTERS } from "./narrowed";
import styles from "./requests.module.css";

type Filter = (typeof FILTERS)[number];

const LABELS: Record<Filter, string> = {
  q: "Search",
  status: "Status",
  model: "Model",
  category: "Category",
  requestType: "Type",
  complexity: "Complexity",
  rating: "Rating",
  sessionId: "Session",
  from: "Started, from",
  to: "Started, to",
  minCost: "Cost, from",
  maxCost: "Cost, up to",
  minDuration: "Time, from",
  maxDuration: "Time, up to",
};
/** Where the service speaks of other units than the fields do. */
const WANTED: Partial<Record<Filter, string>> = {
  minCost: "must be a number of dollars, not below 0",
  maxCost: "must be a number of dollars, not below 0",
  minDuration: "must be a number of seconds, not below 0",
  maxDuration: "must be a number of seconds, not below 0",
};

const isFilter = (name: string): name is Filter => FILTERS.some((each) => each === name);

/** Whether it is filters alone that the service does not understand. */
export const isMisunderstood = ({ faults }: Problem): boolean =>
  faults.length > 0 && faults.every(({ field }) => isFilter(field));

interface MisunderstoodProps {
  problem: Problem;
  widen: (names: readonly Filter[]) => void;
}

/** Which filters say nothing that can be looked for, and the way on without them. */
export function Misunderstood({ problem: { faults }, widen }: MisunderstoodProps) {
  const named = faults.flatMap(({ field, message }) => (isFilter(field) ? [{ field, message }] : []));
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
            <b>{LABELS[field]}</b> {WANTED[field] ?? message}.
          </span>
        ))}
      </EmptyState>
    </div>
  );
}
