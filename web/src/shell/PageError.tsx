import type { ErrorComponentProps } from "@tanstack/react-router";
import { ErrorState } from "@/shared/ErrorState";

/** A page that could not be shown: often its file, which a newer version has taken away. */
export function PageError({ error }: ErrorComponentProps) {
  return (
    <ErrorState
      problem={error instanceof Error ? error : new Error(String(error))}
      retry={() => location.reload()}
    />
  );
}
