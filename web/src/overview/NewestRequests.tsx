import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ChatRequest } from "@/api/types";
import { RequestsTable } from "@/requests/RequestsTable";
import { EmptyState } from "@/shared/EmptyState";
import { Panel } from "@/shared/Panel";

/** The newest requests, as they come. */
export function NewestRequests({ requests }: { requests: ChatRequest[] }) {
  const all = (
    <Button component={Link} to="/requests" variant="default" size="xs">
      All requests
    </Button>
  );
  if (requests.length === 0)
    return (
      <Panel title="Newest requests">
        <EmptyState title="No requests yet" action={<a href="/docs#start_tracking">How an app tracks one</a>}>
          What your app asks for you appears here as it happens: its prompt, tokens, cost and time.
        </EmptyState>
      </Panel>
    );
  return (
    <Panel title="Newest requests" actions={all} flush>
      <RequestsTable requests={requests} />
    </Panel>
  );
}
