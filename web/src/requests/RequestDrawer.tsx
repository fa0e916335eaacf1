import { Drawer, Skeleton } from "@mantine/core";
import { useWholeRequest } from "@/api/requests";
import { Loaded } from "@/shared/Loaded";
import styles from "./RequestDrawer.module.css";
import { RequestWhole } from "./RequestWhole";

interface RequestDrawerProps {
  id: string | undefined;
  onClose: () => void;
  userId?: string;
}

/** One request beside the list it is of. */
export function RequestDrawer({ id, onClose, userId }: RequestDrawerProps) {
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      position="right"
      size="min(680px, 100%)"
      title="Request"
      padding="lg"
      closeButtonProps={{ "aria-label": "Close the request" }}
    >
      {id !== undefined && <Body key={id} id={id} {...(userId === undefined ? {} : { userId })} />}
    </Drawer>
  );
}

function Body({ id, userId }: { id: string; userId?: string }) {
  const request = useWholeRequest(id, userId);
  return (
    <Loaded query={request} skeleton={<Outline />}>
      {(found) => <RequestWhole request={found} isOwn={userId === undefined} />}
    </Loaded>
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
