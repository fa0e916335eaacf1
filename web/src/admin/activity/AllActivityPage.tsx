import { ActivityList } from "@/activity/ActivityList";
import { headOf } from "@/places";
import { PageHeader } from "@/shared/PageHeader";

/** What was done by and with all users. */
export function AllActivityPage() {
  return (
    <>
      <PageHeader {...headOf("/admin/activity")} />
      <ActivityList whose="all" />
    </>
  );
}
