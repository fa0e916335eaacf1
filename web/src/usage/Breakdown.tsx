import { Skeleton } from "@mantine/core";
import type { useAnalytics } from "@/api/analytics";
import type { Dimension, Group } from "@/api/types";
import { BarList } from "@/shared/BarList";
import { EmptyState } from "@/shared/EmptyState";
import { NONE } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { Panel } from "@/shared/Panel";
import { amountOf, MEASURES, type Measure, nameOf } from "./measure";

interface BreakdownProps {
  title: string;
  query: ReturnType<typeof useAnalytics>;
  measure: Measure;
  dimension: Extract<Dimension, "model" | "category" | "plan">;
  /** Whether a group leads to its requests: the dimension is a filter of their list. */
  isLinked?: boolean;
}

// As high as what stands in for the whole of the usage.
const OUTLINE = 280;

/** What the usage consists of, the largest part first. */
export function Breakdown({ title, query, measure, dimension, isLinked = false }: BreakdownProps) {
  return (
    <Panel title={title} note={MEASURES[measure].label.toLowerCase()}>
      <Loaded query={query} skeleton={<Skeleton height={OUTLINE} />}>
        {({ groups }) => (
          <Parts groups={groups} measure={measure} dimension={dimension} isLinked={isLinked} />
        )}
      </Loaded>
    </Panel>
  );
}

interface PartsProps {
  groups: Group[];
  measure: Measure;
  dimension: BreakdownProps["dimension"];
  isLinked: boolean;
}

function Parts({ groups, measure, dimension, isLinked }: PartsProps) {
  const { told } = MEASURES[measure];
  const bars = groups
    .filter(({ totals }) => totals.requests > 0)
    .map(({ key, totals }) => ({
      key,
      label: nameOf(key, dimension),
      value: amountOf(totals, measure),
      told: told(totals),
      ...(isLinked && { to: "/requests", search: { [dimension]: key } }),
    }))
    .toSorted((a, b) => b.value - a.value);
  if (bars.length === 0)
    return <EmptyState title="No requests in this time">A longer period looks further back.</EmptyState>;
  if (bars.every((bar) => bar.told === NONE))
    return <EmptyState title="No cost is known">The models that were used have no price yet.</EmptyState>;
  return <BarList bars={bars} />;
}
