import type { Group } from "@/api/types";
import { BarList } from "@/shared/BarList";
import { EmptyState } from "@/shared/EmptyState";
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
  const bars = groups
    .map(({ key, totals }) => ({
      key,
      label: nameOf(key),
      value: amountOf(totals, measure),
      ...linkOf(key, filter),
    }))
    .filter(({ value }) => value > 0)
    .toSorted((a, b) => b.value - a.value);
  const { label, write } = MEASURES[measure];
  return (
    <Panel title={title} note={label.toLowerCase()} actions={actions}>
      {bars.length === 0 ? (
        <Nothing what={label.toLowerCase()} isUnpriced={measure === "cost" && groups.some(hasUnpriced)} />
      ) : (
        <BarList bars={bars} write={write} />
      )}
    </Panel>
  );
}

const hasUnpriced = ({ totals }: Group) => (totals.unpriced ?? 0) > 0;

function Nothing({ what, isUnpriced }: { what: string; isUnpriced: boolean }) {
  return isUnpriced ? (
    <EmptyState title="No cost is known">The models that were used have no price yet.</EmptyState>
  ) : (
    <EmptyState title={`No ${what} in this time`}>A longer period looks further back.</EmptyState>
  );
}

const linkOf = (key: string, filter: BreakdownProps["filter"]) =>
  filter === undefined ? {} : { to: "/requests", search: { [filter]: key } };
