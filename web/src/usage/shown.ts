import { useNavigate, useSearch } from "@tanstack/react-router";
import { period } from "@/shared/period";
import { MEASURES, type Measure } from "./measure";

/** How a page of usage is looked at, in its address: how far back, and what its charts are about. */
export interface UsageShown {
  days?: string;
  measure?: Measure;
}

const USUAL: Measure = "requests";

/** What of an address a page of usage understands. */
export function usageShown(search: Record<string, unknown>): UsageShown {
  const { measure } = search;
  return { ...period(search), ...(isMeasure(measure) ? { measure } : {}) };
}

const isMeasure = (name: unknown): name is Measure =>
  typeof name === "string" && Object.hasOwn(MEASURES, name);

/** What charts are about, and how that is changed: a step that Back undoes. */
export function useMeasure(): [Measure, (measure: Measure) => void] {
  const { measure = USUAL } = usageShown(useSearch({ strict: false }));
  const navigate = useNavigate();
  const show = (chosen: Measure) =>
    void navigate({
      to: ".",
      search: ((before: UsageShown) => ({
        ...before,
        measure: chosen === USUAL ? undefined : chosen,
      })) as never,
      resetScroll: false,
    });
  return [measure, show];
}
