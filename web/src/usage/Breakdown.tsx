import type { Group } from "@/api/types";
import { BarList } from "@/shared/BarList";
import { EmptyState } from "@/shared/EmptyState";
import { NONE } from "@/shared/format";
import { Panel } from "@/shared/Panel";
import { amountOf, MEASURES, type Measure, nameOf } from "./measure";

interface BreakdownProps {
  title: string;
  groups: Group[];
  measure: Measure;
  /** Where the requests of a group are listed: the filter that it is. */
  filter?: "model" | "category" | "requestType";
  actions?: React.ReactNode;
}

/** What the usage consists of, the largest part first. */
export function Breakdown({ title, groups, measure, filter, actions }: BreakdownProps) {
  const { label, told } = MEASURES[measure];
  const bars = groups
    .filter(({ totals }) => totals.requests > 0)
    .map(({ key, totals }) => ({
      key,
      label: nameOf(key),
      value: amountOf(totals, measure),
      told: told(totals),
      ...linkOf(key, filter),
    }))
    .toSorted((a, b) => b.value - a.value);
  return (
    <Panel title={title} note={label.toLowerCase()} actions={actions}>
      {bars.length === 0 ? (
        <EmptyState title="No requests in this time">A longer period looks further back.</EmptyState>
      ) : bars.every((bar) => bar.told === NONE) ? (
        <EmptyState title="No cost is known">The models that were used have no price yet.</EmptyState>
      ) : (
        <BarList bars={bars} />
      )}
    </Panel>
  );
}

const linkOf = (key: string, filter: BreakdownProps["filter"]) =>
  filter === undefined ? {} : { to: "/requests", search: { [filter]: key } };
