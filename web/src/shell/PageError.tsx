import type { ErrorComponentProps } from "@tanstack/react-router";
import { useEffect } from "react";
import { Problem } from "@/api/call";
import { ErrorState } from "@/shared/ErrorState";

const AGAIN_MS = 2_000;
// Where its file never comes, a page that was just loaded anew shall not flicker: somebody may be reading.
const AFTER_A_RELOAD_MS = 30_000;
// How Vite and browsers say that a page's own file did not come.
const NOT_LOADED = /preload CSS|dynamically imported module|Importing a module script/i;

/** A page that could not be shown: often its file, because the service is away or a newer version has taken it away. */
export function PageError({ error }: ErrorComponentProps) {
  const told = error instanceof Error ? error : new Error(String(error));
  const isLost = NOT_LOADED.test(told.message);
  useEffect(() => {
    if (!isLost) return;
    const asking = setInterval(() => void reloadIfBack(), wait());
    return () => clearInterval(asking);
  }, [isLost]);
  const problem = isLost
    ? new Problem(
        0,
        "This page could not be loaded",
        "The service cannot be reached, or has a newer version. The page comes by itself as soon as it can.",
      )
    : told;
  return (
    <ErrorState problem={problem} retry={isLost ? () => void reloadIfBack() : () => location.reload()} />
  );
}

function wait(): number {
  const [loaded] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const isJustReloaded = loaded?.type === "reload" && performance.now() < AFTER_A_RELOAD_MS;
  return isJustReloaded ? AFTER_A_RELOAD_MS : AGAIN_MS;
}

async function reloadIfBack(): Promise<void> {
  const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
  if (answer?.ok) location.reload();
}
