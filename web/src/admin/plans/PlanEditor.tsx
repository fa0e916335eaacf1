import { Drawer } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { usePutPlan, usePutPreview } from "@/api/catalogue";
import type { PlanPut, TermsWithUsers } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { count } from "@/shared/format";
import { faultAt } from "@/shared/typed";
import { Changes } from "./Changes";
import { type Draft, draftOf, emptyDraft, planIn } from "./draft";
import { PlanFields } from "./PlanFields";
import styles from "./plans.module.css";

interface PlanEditorProps {
  /** What is changed; a new plan where there is none. */
  plan: TermsWithUsers | undefined;
  /** The catalogue as it is. */
  plans: TermsWithUsers[];
  onClose: () => void;
}

/** Adds a plan to the catalogue, or changes it: typed, then shown as what it would change, then saved. */
export function PlanEditor({ plan, plans, onClose }: PlanEditorProps) {
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="min(600px, 100%)"
      padding="lg"
      title={plan === undefined ? "New plan" : `Change ${plan.name}`}
      closeButtonProps={{ "aria-label": "Close the plan" }}
    >
      <Editor plan={plan} plans={plans} onClose={onClose} />
    </Drawer>
  );
}

function Editor({ plan, plans, onClose }: PlanEditorProps) {
  const [draft, setDraft] = useState<Draft>(() =>
    plan === undefined ? emptyDraft(highest(plans) + 1) : draftOf(plan),
  );
  const [faults, setFaults] = useState<Partial<Record<keyof Draft, string>>>({});
  const preview = usePutPreview();
  const name = draft.name.trim();
  const look = () => {
    const read = planIn(draft);
    if (name === "") read.faults.name = "give it a name";
    if (plan === undefined && plans.some((each) => each.name === name))
      read.faults.name = "there is one of that name: change that";
    setFaults(read.faults);
    // What the service said was of something else.
    preview.reset();
    if (Object.keys(read.faults).length === 0) preview.mutate({ name, plan: read.plan });
  };
  // What is wrong may be far above the button.
  const form = useRef<HTMLFormElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when a fault is told, it is looked for
  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [faults, preview.error]);
  if (preview.data !== undefined)
    return (
      <Difference
        of={preview.data}
        draft={draft}
        users={plan?.users ?? 0}
        onBack={preview.reset}
        onClose={onClose}
      />
    );
  const isAtField = preview.error?.faults.some(({ field }) => (field.split(".")[0] ?? "") in draft) ?? false;
  return (
    <form
      ref={form}
      className={styles.editor}
      onSubmit={(event) => {
        event.preventDefault();
        look();
      }}
    >
      <PlanFields
        draft={draft}
        isNew={plan === undefined}
        faultOf={(field) => faults[field] ?? faultAt(preview.error, field)}
        onType={(changes) => setDraft((before) => ({ ...before, ...changes }))}
      />
      {preview.error !== null && !isAtField && <ErrorState problem={preview.error} />}
      <div className={styles.buttons}>
        <Button type="submit" size="xs" loading={preview.isPending}>
          See what changes
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

const highest = (plans: TermsWithUsers[]): number => Math.max(-1, ...plans.map(({ rank }) => rank));

interface DifferenceProps {
  of: PlanPut;
  draft: Draft;
  users: number;
  onBack: () => void;
  onClose: () => void;
}

/** What saving would change, and for whom; then saving it. */
function Difference({ of: { name, kind, changes }, draft, users, onBack, onClose }: DifferenceProps) {
  const put = usePutPlan();
  const isNew = kind === "added";
  const terms = changes.filter(({ isOfTerms }) => isOfTerms);
  const others = changes.filter(({ isOfTerms }) => !isOfTerms);
  const shown = { currency: draft.currency.trim(), isNew };
  return (
    <div className={styles.editor}>
      {kind === "same" && <p>Nothing would change: {name} is so already.</p>}
      {isNew && <p>{name} is new. Nobody has it until somebody takes it or is given it.</p>}
      {!isNew && terms.length > 0 && (
        <p>
          {users === 0
            ? "Nobody has the plan: this holds for whoever takes it."
            : `The terms get a new version, for whoever takes the plan from now on. ${keeping(users)} until you move them.`}
        </p>
      )}
      <Changes title={isNew ? "Its terms" : "For new subscribers"} changes={terms} {...shown} />
      <Changes
        title={isNew ? "How it is offered, and its texts" : "At once, for everybody"}
        changes={others}
        {...shown}
      />
      {put.error !== null && <ErrorState problem={put.error} />}
      <div className={styles.buttons}>
        {kind !== "same" && (
          <Button
            size="xs"
            loading={put.isPending}
            onClick={() => put.mutate({ name, plan: planIn(draft).plan }, { onSuccess: onClose })}
          >
            {isNew ? "Add plan" : "Save changes"}
          </Button>
        )}
        <Button variant="default" size="xs" onClick={onBack}>
          Back
        </Button>
      </div>
    </div>
  );
}

const keeping = (users: number): string =>
  users === 1 ? "The one who has it keeps their terms" : `The ${count(users)} who have it keep their terms`;
