import { Skeleton } from "@mantine/core";
import { useSettings } from "@/api/settings";
import { headOf } from "@/places";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SettingsForm } from "./SettingsForm";

/** How one wants the app to be. */
export function SettingsPage() {
  const settings = useSettings();
  return (
    <>
      <PageHeader {...headOf("/settings")} />
      <Panel>
        <Loaded query={settings} skeleton={<Skeleton height={360} />}>
          {(kept) => <SettingsForm kept={kept} />}
        </Loaded>
      </Panel>
    </>
  );
}
