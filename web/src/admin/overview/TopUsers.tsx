import { Select } from "@mantine/core";
import { useTopUsers } from "@/api/admin";
import type { TopUsers as Top } from "@/api/types";
import { type Bar, BarList } from "@/shared/BarList";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { Panel } from "@/shared/Panel";
import { type Days, lastDays } from "@/shared/period";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { type By, ORDERS, useBy } from "./shown";

const CHOICES = Object.entries(ORDERS).map(([value, { label }]) => ({ value, label }));
const MOST = 10;

/** Who used most. */
export function TopUsers({ days }: { days: Days }) {
  const [by, order] = useBy();
  const top = useTopUsers({ ...lastDays(days, "UTC"), by, limit: MOST });
  const bars = top.data && barsOf(top.data.items, by);
  // By something else nobody may have been among them, and yet there are some.
  const isKnown = !(top.isPlaceholderData && bars?.length === 0);
  const choice = (
    <Select
      size="xs"
      w={130}
      aria-label="By what"
      allowDeselect={false}
      value={by}
      data={CHOICES}
      onChange={(chosen) => chosen !== null && order(chosen as By)}
    />
  );
  return (
    <Panel title="Top users" {...(days === 1 ? { note: "today" } : {})} actions={choice}>
      <Loaded query={{ ...top, data: isKnown ? bars : undefined }} skeleton={<SkeletonRows rows={5} />}>
        {(found) =>
          found.length === 0 ? (
            <EmptyState title={ORDERS[by].none}>A longer period looks further back.</EmptyState>
          ) : (
            <BarList bars={found} most={MOST} />
          )
        }
      </Loaded>
    </Panel>
  );
}

const barsOf = (items: Top["items"], by: By): Bar[] =>
  items
    .map(({ user, totals }) => ({
      key: user.id,
      label: user.name ?? user.email ?? user.id,
      value: ORDERS[by].of(totals) ?? 0,
      told: ORDERS[by].write(totals),
      to: `/admin/users/${user.id}`,
    }))
    // What costs nothing was used all the same; nobody is among the top by failures without one.
    .filter(({ value }) => value > 0 || by === "cost");
