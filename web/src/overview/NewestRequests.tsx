import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ChatRequest } from "@/api/types";
import { RequestsTable } from "@/requests/RequestsTable";
import { Panel } from "@/shared/Panel";

/** The newest requests, as they come. */
export function NewestRequests({ requests }: { requests: ChatRequest[] }) {
  const all = (
    <Button component={Link} to="/requests" variant="default" size="xs">
      All requests
    </Button>
  );
  return (
    <Panel title="Newest requests" actions={all} flush>
      <RequestsTable requests={requests} />
    </Panel>
  );
}
