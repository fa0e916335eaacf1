import { SettingsFrame } from "@/settings/SettingsFrame";
import { DeleteAccount } from "./DeleteAccount";
import { TakeAlong } from "./TakeAlong";

/** What one can take along, and how one leaves. */
export function DataPage() {
  return (
    <SettingsFrame path="/settings/data">
      <TakeAlong />
      <DeleteAccount />
    </SettingsFrame>
  );
}
