import { usePlanHistory } from "@/api/planOfUser";
import type { PastTerms } from "@/api/types";
import { Tag } from "@/shared/badges";
import { NONE } from "@/shared/format";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { Panel } from "@/shared/Panel";
import { planTitle } from "@/shared/planTitle";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { exactTime } from "@/shared/times";

/** The plans that a user had, and how they came to each. */
export function PlanHistory({ userId }: { userId: string }) {
  const history = usePlanHistory(userId);
  return (
    <Panel title="History" flush>
      <Loaded query={history} skeleton={<SkeletonRows rows={2} />}>
        {({ pages }) => (
          <>
            <Table
              rows={pages.flatMap(({ items }) => items)}
              columns={COLUMNS}
              keyOf={({ id }) => id}
              label="Plans that they had"
            />
            <MoreRows {...history} />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

const HOW: Record<PastTerms["kind"], string> = {
  given: "Given",
  upgraded: "Upgraded",
  downgraded: "Downgraded",
  cancelled: "Cancelled the one before",
  renewed: "Paid in another way",
  expired: "The one before had ended",
  migrated: "Moved to newer terms",
};

const COLUMNS: Column<PastTerms>[] = [
  {
    label: "Plan",
    kind: "wide",
    title: ({ plan, version }) => `${planTitle(plan)}, version ${version}`,
    of: ({ plan, version, isTrial, isInForce }) => (
      <>
        <strong>{planTitle(plan)}</strong> version {version} {isTrial && <Tag>trial</Tag>}{" "}
        {isInForce && <Tag tone="accent">now</Tag>}
      </>
    ),
  },
  { label: "How", of: ({ kind }) => HOW[kind] },
  {
    label: "Paid",
    isSoft: true,
    before: "paid",
    isNone: ({ isTrial }) => isTrial,
    of: ({ billingCycle, isTrial }) => (isTrial ? NONE : billingCycle),
  },
  {
    label: "From",
    isSoft: true,
    before: "from",
    title: ({ startsAt }) => exactTime(startsAt),
    of: ({ startsAt }) => <TimeAgo at={startsAt} />,
  },
  {
    label: "To",
    isSoft: true,
    before: "to",
    isNone: ({ endedAt }) => endedAt === null,
    of: ({ endedAt }) => (endedAt === null ? NONE : <TimeAgo at={endedAt} />),
  },
];
