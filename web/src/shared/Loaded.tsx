import type { ReactNode } from "react";
import type { Problem } from "@/api/call";
import { ErrorState } from "./ErrorState";

// Also of what cannot even be the id of something.
const NO_SUCH: ReadonlySet<number> = new Set([400, 404, 422]);

interface Query<Content> {
  data: Content | undefined;
  error: Problem | null;
  refetch: () => unknown;
}

interface LoadedProps<Content> {
  query: Query<Content>;
  /** Stands in for it while it is on its way, in the same size. */
  skeleton: ReactNode;
  /** Stands in for it where there is no such thing. */
  missing?: ReactNode;
  children: (content: Content) => ReactNode;
}

/** What was asked for, once it is there; until then its outline, and if it failed, why. */
export function Loaded<Content>({ query, skeleton, missing, children }: LoadedProps<Content>) {
  if (query.data !== undefined) return children(query.data);
  if (missing !== undefined && query.error !== null && NO_SUCH.has(query.error.status)) return missing;
  if (query.error !== null) return <ErrorState problem={query.error} retry={() => void query.refetch()} />;
  return (
    <div aria-busy="true">
      <span className="visually-hidden">Loading …</span>
      {skeleton}
    </div>
  );
}
