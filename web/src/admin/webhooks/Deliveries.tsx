import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import type { Webhook } from "@/api/types";
import { useDeliveries, useReplay, useReplayFailed } from "@/api/webhooks";
import { Button } from "@/shared/Button";
import { EmptyState } from "@/shared/EmptyState";
import { ErrorState } from "@/shared/ErrorState";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { DeliveriesTable } from "./DeliveriesTable";
import { STATES } from "./words";

const FILTERS = [
  { value: "", label: "All" },
  ...Object.entries(STATES).map(([value, { word }]) => ({ value, label: word })),
];
// Events are forgotten after 90 days, so this is all of them.
const FIRST = "2020-01-01T00:00:00Z";

/** What was sent to an endpoint and what will be. */
export function Deliveries({ of: { id, failed, isActive } }: { of: Webhook }) {
  const [state, setState] = useState("");
  const deliveries = useDeliveries(id, state);
  const replay = useReplay(id);
  const replayFailed = useReplayFailed(id);
  const error = replay.error ?? replayFailed.error;
  const actions = (
    <>
      {failed > 0 && isActive && (
        <Button
          size="xs"
          variant="default"
          loading={replayFailed.isPending}
          onClick={() => replayFailed.mutate(FIRST)}
        >
          Replay all that failed
        </Button>
      )}
      <SegmentedControl size="xs" aria-label="State" data={FILTERS} value={state} onChange={setState} />
    </>
  );
  return (
    <Panel title="Deliveries" actions={actions} flush>
      {error !== null && <ErrorState problem={error} />}
      <Loaded query={deliveries} skeleton={<SkeletonRows rows={6} />}>
        {({ pages }) => {
          const found = pages.flatMap(({ items }) => items);
          return found.length === 0 ? (
            <EmptyState title="Nothing here">
              It is told of what happens from when it was added on. Send a test to see whether it hears us.
            </EmptyState>
          ) : (
            <DeliveriesTable deliveries={found} replay={isActive ? replay.mutate : null} />
          );
        }}
      </Loaded>
      <MoreRows {...deliveries} />
    </Panel>
  );
}
