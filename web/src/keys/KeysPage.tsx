import { SettingsFrame } from "@/settings/SettingsFrame";
import { KeysPanel } from "./KeysPanel";

/** Keys with which one's programs act as oneself. */
export function KeysPage() {
  return (
    <SettingsFrame path="/settings/keys">
      <KeysPanel
        whose="own"
        empty={{
          title: "No keys",
          about:
            "A key lets a program of yours act as you, within what you allow it. Make one for each program.",
        }}
      />
    </SettingsFrame>
  );
}
