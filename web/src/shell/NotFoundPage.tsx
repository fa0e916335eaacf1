import { DeadEnd } from "./DeadEnd";

/** There is no such page. */
export function NotFoundPage() {
  return (
    <DeadEnd title="Not found" said="There is nothing here">
      The address may be mistyped, or what was here is gone.
    </DeadEnd>
  );
}
