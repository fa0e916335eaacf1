import { useDashboard } from "@/api/dashboard";
import { useRequests } from "@/api/requests";
import { headOf } from "@/places";
import { PageHeader } from "@/shared/PageHeader";
import { DownloadMenu } from "./DownloadMenu";
import { filtersOf } from "./narrowed";
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
        <DownloadMenu filters={filters} />
      </PageHeader>
      <RequestFilterBar search={search} narrow={narrow} widen={widen} howMany={howMany} known={known} />
      <RequestsList requests={requests} isNarrowed={howMany > 0} widen={widen} />
      <RequestDrawer id={search.open} onClose={close} />
    </>
  );
}
