import { SettingsFrame } from "@/settings/SettingsFrame";
import { ActivityList } from "./ActivityList";

/** What was done with one's account, and from where. */
export function ActivityPage() {
  return (
    <SettingsFrame path="/settings/activity">
      <ActivityList whose="own" />
    </SettingsFrame>
  );
}
