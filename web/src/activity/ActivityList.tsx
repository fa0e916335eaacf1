import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ActivityAsked, useActivity, type Whose } from "@/api/activity";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { faultOf, isMisunderstood, Misunderstood } from "@/shared/Misunderstood";
import { MoreRows } from "@/shared/MoreRows";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { ActivityFilters } from "./ActivityFilters";
import { ActivityTable } from "./ActivityTable";
import { activityAsked, LABELS } from "./asked";

/** What was done, newest first; what it is narrowed to stands in the address. */
export function ActivityList({ whose }: { whose: Whose }) {
  const asked = activityAsked(useSearch({ strict: false }));
  const navigate = useNavigate();
  const ask = (changes: ActivityAsked, isSameStep = false) =>
    void navigate({
      to: ".",
      search: ((before: ActivityAsked) => kept({ ...before, ...changes })) as never,
      replace: isSameStep,
      resetScroll: false,
    });
  const activity = useActivity(whose, asked);
  return (
    <section aria-label="Activity">
      <ActivityFilters whose={whose} asked={asked} ask={ask} fault={faultOf(activity.error, LABELS)} />
      {isMisunderstood(activity.error, LABELS) ? (
        <Panel>
          <Misunderstood
            problem={activity.error}
            labels={LABELS}
            widen={(names) => ask(Object.fromEntries(names.map((name) => [name, ""])))}
          />
        </Panel>
      ) : (
        <Panel flush>
          <Loaded query={activity} skeleton={<SkeletonRows rows={10} />}>
            {({ pages }) => {
              const acts = pages.flatMap(({ items }) => items);
              return acts.length === 0 ? (
                <EmptyState title="Nothing of the kind was done">
                  Look for something else, or at another time.
                </EmptyState>
              ) : (
                <ActivityTable whose={whose} acts={acts} />
              );
            }}
          </Loaded>
          <MoreRows {...activity} />
        </Panel>
      )}
    </section>
  );
}

const kept = (asked: ActivityAsked): ActivityAsked =>
  Object.fromEntries(Object.entries(asked).filter(([, value]) => Boolean(value)));
