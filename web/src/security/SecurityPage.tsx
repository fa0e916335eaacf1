import { SettingsFrame } from "@/settings/SettingsFrame";
import { GitHubPanel } from "./GitHubPanel";
import { LoginsPanel } from "./LoginsPanel";
import { PasskeysPanel } from "./PasskeysPanel";

/** How one signs in, and where one is signed in. */
export function SecurityPage() {
  return (
    <SettingsFrame path="/settings/security">
      <PasskeysPanel />
      <GitHubPanel />
      <LoginsPanel />
    </SettingsFrame>
  );
}
