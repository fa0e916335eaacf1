import { Skeleton } from "@mantine/core";
import { useAccount } from "@/api/account";
import { useSettings } from "@/api/settings";
import { Loaded } from "@/shared/Loaded";
import { Panel } from "@/shared/Panel";
import { ProfilePanel } from "./ProfilePanel";
import { SettingsForm } from "./SettingsForm";
import { SettingsFrame } from "./SettingsFrame";

/** Who one is here, and how one wants the app to be. */
export function SettingsPage() {
  const settings = useSettings();
  const account = useAccount();
  return (
    <SettingsFrame path="/settings">
      <Loaded query={account} skeleton={<Skeleton height={320} />}>
        {(known) => <ProfilePanel account={known} />}
      </Loaded>
      <Panel title="Preferences">
        <Loaded query={settings} skeleton={<Skeleton height={280} />}>
          {(kept) => <SettingsForm kept={kept} />}
        </Loaded>
      </Panel>
    </SettingsFrame>
  );
}
