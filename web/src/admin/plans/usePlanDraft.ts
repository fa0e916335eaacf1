import { useEffect, useRef, useState } from "react";
import { usePutPreview } from "@/api/catalogue";
import type { PlanPut, TermsWithUsers } from "@/api/types";
import { type Draft, draftOf, emptyDraft, planIn } from "./draft";

/** What is typed of a plan, what is wrong with it, and what it would change. */
export function usePlanDraft(plan: TermsWithUsers | undefined, plans: TermsWithUsers[]) {
  const [draft, setDraft] = useState<Draft>(() =>
    plan === undefined ? emptyDraft(highest(plans) + 1) : draftOf(plan),
  );
  const [faults, setFaults] = useState<Partial<Record<keyof Draft, string>>>({});
  const [shown, setShown] = useState<{ put: PlanPut; isAgain: boolean } | null>(null);
  const preview = usePutPreview();
  const back = () => setShown(null);
  /** Looks at what would change; again where somebody has changed the plan under what is shown. */
  const look = (isAgain = false) => {
    const name = draft.name.trim();
    const read = planIn(draft);
    if (name === "") read.faults.name = "give it a name";
    if (plan === undefined && plans.some((each) => each.name === name))
      read.faults.name = "there is one of that name: change that";
    setFaults(read.faults);
    // What the service said was of something else.
    preview.reset();
    if (Object.keys(read.faults).length === 0)
      preview.mutate(
        { name, plan: read.plan },
        { onSuccess: (put) => setShown({ put, isAgain }), onError: back },
      );
  };
  // What is wrong may be far above the button.
  const form = useRef<HTMLFormElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when a fault is told, it is looked for
  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [faults, preview.error]);
  return { draft, setDraft, faults, preview, shown, look, back, form };
}

const highest = (plans: TermsWithUsers[]): number => Math.max(-1, ...plans.map(({ rank }) => rank));
