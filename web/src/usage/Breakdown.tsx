import { Skeleton } from "@mantine/core";
import type { useAnalytics } from "@/api/analytics";
import type { Analytics, Dimension } from "@/api/types";
import { type Bar, BarList } from "@/shared/BarList";
import { EmptyState } from "@/shared/EmptyState";
import { count, NONE } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { Panel } from "@/shared/Panel";
import { amountOf, MEASURES, type Measure, nameOf } from "./measure";
import { NoCostKnown } from "./NoCostKnown";
import { restOf } from "./others";
import { within } from "./within";

interface BreakdownProps {
  title: string;
  query: ReturnType<typeof useAnalytics>;
  measure: Measure;
  dimension: Extract<Dimension, "model" | "category" | "plan">;
  /** Whether a group leads to its requests of the same time: the dimension is a filter of their list. */
  isLinked?: boolean;
}

// As high as what stands in for the whole of the usage.
const OUTLINE = 280;

/** What the usage consists of, the largest part first. */
export function Breakdown({ title, query, measure, dimension, isLinked = false }: BreakdownProps) {
  return (
    <Panel title={title} note={MEASURES[measure].label.toLowerCase()}>
      <Loaded query={query} skeleton={<Skeleton height={OUTLINE} />}>
        {(analytics) => (
          <Parts analytics={analytics} measure={measure} dimension={dimension} isLinked={isLinked} />
        )}
      </Loaded>
    </Panel>
  );
}

interface PartsProps {
  analytics: Pick<Analytics, "groups" | "groupsLeftOut" | "totals" | "from" | "to" | "timeZone">;
  measure: Measure;
  dimension: BreakdownProps["dimension"];
  isLinked: boolean;
}

function Parts({ analytics, measure, dimension, isLinked }: PartsProps) {
  const { groups, groupsLeftOut, totals: all, from, to, timeZone } = analytics;
  const { told } = MEASURES[measure];
  const shownTime = within(from, to, timeZone);
  const bars = groups
    .filter(({ totals }) => totals.requests > 0)
    .map(({ key, totals }) => ({
      key,
      label: nameOf(key, dimension),
      value: amountOf(totals, measure),
      told: told(totals),
      ...(isLinked && { to: "/requests", search: { ...shownTime, [dimension]: key } }),
    }))
    .toSorted((a, b) => b.value - a.value);
  if (bars.length === 0)
    return <EmptyState title="No requests in this time">A longer period looks further back.</EmptyState>;
  if (bars.every((bar) => bar.told === NONE)) return <NoCostKnown />;
  const othersThan = (shown: readonly Bar[]) => {
    const many = bars.length - shown.length + groupsLeftOut;
    if (many === 0) return null;
    const named = new Set(shown.map(({ key }) => key));
    const rest = restOf(
      all,
      groups.filter(({ key }) => named.has(key)),
    );
    return {
      label: `${count(many)} ${many === 1 ? "other" : "others"}`,
      value: amountOf(rest, measure),
      told: told(rest),
      ...(groupsLeftOut > 0 && { about: leftOut(groupsLeftOut, measure) }),
    };
  };
  return <BarList bars={bars} othersThan={othersThan} />;
}

// The service names those with the most requests; it has no order by anything else.
const leftOut = (many: number, measure: Measure): string =>
  `${count(many)} of them are not named here: they have the fewest requests${measure === "requests" ? "" : `, whatever their ${MEASURES[measure].label.toLowerCase()}`}`;
