import { downloadAddress, useRequests } from "@/api/requests";
import type { Dashboard } from "@/api/types";
import { LABELS, WANTED } from "@/requests/labels";
import { filtersOf } from "@/requests/narrowed";
import { OrderChoice } from "@/requests/OrderChoice";
import { RequestDrawer } from "@/requests/RequestDrawer";
import { RequestFilterBar } from "@/requests/RequestFilterBar";
import { RequestsList } from "@/requests/RequestsList";
import { useNarrowed } from "@/requests/useNarrowed";
import { DownloadMenu } from "@/shared/DownloadMenu";
import { faultOf } from "@/shared/Misunderstood";
import styles from "./users.module.css";

interface UsersRequestsProps {
  userId: string;
  known: Dashboard | undefined;
}

/** A user's requests, as they find them themselves. */
export function UsersRequests({ userId, known }: UsersRequestsProps) {
  const { search, narrow, widen, close, howMany } = useNarrowed();
  const filters = filtersOf(search);
  const requests = useRequests(filters, userId);
  return (
    <section aria-label="Requests">
      <div className={styles.heading}>
        <h2>Requests</h2>
        <div className="frame-actions">
          <OrderChoice search={search} narrow={narrow} />
          <DownloadMenu
            name="requests"
            address={(format) => downloadAddress(filters, format, userId)}
            fault={faultOf(requests.error, LABELS, WANTED)}
          />
        </div>
      </div>
      <RequestFilterBar search={search} narrow={narrow} widen={widen} howMany={howMany} known={known} />
      <RequestsList
        requests={requests}
        search={search}
        isNarrowed={howMany > 0}
        widen={widen}
        isOwn={false}
      />
      <RequestDrawer id={search.open} onClose={close} userId={userId} />
    </section>
  );
}
