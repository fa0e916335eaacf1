import { KeysPanel } from "@/keys/KeysPanel";
import { headOf } from "@/places";
import { PageHeader } from "@/shared/PageHeader";

/** Keys of the backends that act for any user. */
export function ServiceKeysPage() {
  return (
    <>
      <PageHeader {...headOf("/admin/keys")} />
      <KeysPanel
        whose="services"
        empty={{
          title: "No service keys",
          about: "Make one for each backend that tracks requests, so that each can be rotated by itself.",
        }}
      />
    </>
  );
}
