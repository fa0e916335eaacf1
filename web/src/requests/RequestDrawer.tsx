import { Button, Drawer, Skeleton } from "@mantine/core";
import { useWholeRequest } from "@/api/requests";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { useIsCovered } from "@/shared/useIsCovered";
import styles from "./RequestDrawer.module.css";
import { RequestWhole } from "./RequestWhole";
import { ToNeighbours } from "./ToNeighbours";

interface RequestDrawerProps {
  id: string | undefined;
  onClose: () => void;
  userId?: string;
}

/** One request beside the list it is of. */
export function RequestDrawer({ id, onClose, userId }: RequestDrawerProps) {
  const isCovered = useIsCovered(id !== undefined);
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      closeOnEscape={!isCovered}
      position="right"
      size="min(680px, 100%)"
      title="Request"
      padding="lg"
      closeButtonProps={{ "aria-label": "Close the request" }}
    >
      {id !== undefined && (
        <>
          <ToNeighbours userId={userId} isActive={!isCovered} />
          <Body key={id} id={id} onClose={onClose} {...(userId === undefined ? {} : { userId })} />
        </>
      )}
    </Drawer>
  );
}

function Body({ id, userId, onClose }: { id: string; userId?: string; onClose: () => void }) {
  const request = useWholeRequest(id, userId);
  return (
    <Loaded query={request} skeleton={<Outline />} missing={<NoRequest onClose={onClose} />}>
      {(found) => <RequestWhole request={found} isOwn={userId === undefined} />}
    </Loaded>
  );
}

function NoRequest({ onClose }: { onClose: () => void }) {
  return (
    <EmptyState
      title="There is no such request"
      action={
        <Button variant="default" size="xs" onClick={onClose}>
          To the list
        </Button>
      }
    >
      The address may be mistyped, or the request is no longer kept.
    </EmptyState>
  );
}

function Outline() {
  return (
    <div className={styles.whole}>
      <Skeleton height={72} />
      <Skeleton height={120} />
      <Skeleton height={200} />
    </div>
  );
}
