import { EmptyState } from "@/shared/EmptyState";

/** Where money would be shown, and nobody knows any: that is not none. */
export function NoCostKnown() {
  return <EmptyState title="No cost is known">The models that were used have no price yet.</EmptyState>;
}
