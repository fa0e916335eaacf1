import { Button, Switch } from "@mantine/core";
import { type ReactNode, useState } from "react";
import type { Problem } from "@/api/call";
import { EmptyState } from "@/shared/EmptyState";
import { IconPlus } from "@/shared/icons";
import { Loaded } from "@/shared/Loaded";
import { useNow } from "@/shared/now";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { type Column, Table } from "@/shared/Table";
import { StateBadge } from "./StateBadge";
import type { State } from "./states";

interface ExceptionsPanelProps<One> {
  title: string;
  note: string;
  query: { data: One[] | undefined; error: Problem | null; refetch: () => unknown };
  stateOf: (one: One, now: number) => State;
  /** What each is, and until when; how it stands comes between. */
  what: Column<One>;
  more: Column<One>[];
  actions: (one: One) => ReactNode;
  empty: { title: string; about: string };
  addLabel: string;
  onAdd: () => void;
}

/** Exceptions of one kind. Those that are over are out of the way. */
export function ExceptionsPanel<One extends { id: string }>(props: ExceptionsPanelProps<One>) {
  const { title, note, query, stateOf, what, more, actions, empty, addLabel, onAdd } = props;
  const now = useNow();
  const [withOver, setWithOver] = useState(false);
  const all = query.data ?? [];
  const active = all.filter((one) => stateOf(one, now) === "active");
  const over = all.length - active.length;
  const shown = withOver ? all : active;
  const columns: Column<One>[] = [
    what,
    { label: "State", of: (one) => <StateBadge state={stateOf(one, now)} /> },
    ...more,
    {
      label: "Actions",
      heading: <span className="visually-hidden">Actions</span>,
      of: (one) => stateOf(one, now) === "active" && actions(one),
    },
  ];
  const toggle = over > 0 && (
    <Switch
      size="xs"
      label={`Show ${over} ended`}
      checked={withOver}
      onChange={({ currentTarget }) => setWithOver(currentTarget.checked)}
    />
  );
  return (
    <Panel
      title={title}
      note={note}
      flush
      actions={
        <>
          {toggle}
          <Button size="xs" variant="default" leftSection={<IconPlus size={14} />} onClick={onAdd}>
            {addLabel}
          </Button>
        </>
      }
    >
      <Loaded query={query} skeleton={<SkeletonRows rows={2} />}>
        {() =>
          shown.length === 0 ? (
            <EmptyState title={empty.title}>{empty.about}</EmptyState>
          ) : (
            <Table rows={shown} columns={columns} keyOf={({ id }) => id} />
          )
        }
      </Loaded>
    </Panel>
  );
}
