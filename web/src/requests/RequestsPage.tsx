import { useDashboard } from "@/api/dashboard";
import { downloadAddress, useRequests } from "@/api/requests";
import { headOf } from "@/places";
import { DownloadMenu } from "@/shared/DownloadMenu";
import { faultOf } from "@/shared/Misunderstood";
import { PageHeader } from "@/shared/PageHeader";
import { LABELS, WANTED } from "./labels";
import { filtersOf } from "./narrowed";
import { OrderChoice } from "./OrderChoice";
import { RequestDrawer } from "./RequestDrawer";
import { RequestFilterBar } from "./RequestFilterBar";
import { RequestsList } from "./RequestsList";
import { useNarrowed } from "./useNarrowed";

/** One's own requests: narrowed, read and downloaded. */
export function RequestsPage() {
  const { search, narrow, widen, close, howMany } = useNarrowed();
  const known = useDashboard().data;
  const filters = filtersOf(search);
  const requests = useRequests(filters);
  return (
    <>
      <PageHeader {...headOf("/requests")}>
        <OrderChoice search={search} narrow={narrow} />
        <DownloadMenu
          name="requests"
          address={(format) => downloadAddress(filters, format)}
          fault={faultOf(requests.error, LABELS, WANTED)}
        />
      </PageHeader>
      <RequestFilterBar search={search} narrow={narrow} widen={widen} howMany={howMany} known={known} />
      <RequestsList requests={requests} search={search} isNarrowed={howMany > 0} widen={widen} />
      <RequestDrawer id={search.open} onClose={close} />
    </>
  );
}
