import { Drawer } from "@mantine/core";
import { useState } from "react";
import { useIsConfirming } from "@/api/confirmation";
import type { TermsWithUsers } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { planTitle } from "@/shared/planTitle";
import { faultAt } from "@/shared/typed";
import { useIsCovered } from "@/shared/useIsCovered";
import { useUnsaved } from "@/shared/useUnsaved";
import { type Draft, draftOf } from "./draft";
import { PlanDifference } from "./PlanDifference";
import { PlanFields } from "./PlanFields";
import styles from "./plans.module.css";
import { usePlanDraft } from "./usePlanDraft";
import { labelOf } from "./words";

interface PlanEditorProps {
  /** What is changed, as it was when that was begun; a new plan where there is none. */
  plan: TermsWithUsers | undefined;
  /** The catalogue as it is. */
  plans: TermsWithUsers[];
  onClose: () => void;
}

/** Adds a plan to the catalogue, or changes it: typed, then shown as what it would change, then saved. */
export function PlanEditor({ plan, plans, onClose }: PlanEditorProps) {
  const isConfirming = useIsConfirming();
  const { typing, leave, question } = useUnsaved(onClose);
  const isCovered = useIsCovered();
  const isBehind = isConfirming || isCovered;
  return (
    <>
      <Drawer
        opened
        onClose={leave}
        position="right"
        size="min(600px, 100%)"
        padding="lg"
        title={plan === undefined ? "New plan" : `Change ${planTitle(plan.name)}`}
        closeOnEscape={!isBehind}
        closeOnClickOutside={!isBehind}
        trapFocus={!isConfirming}
        closeButtonProps={{ "aria-label": "Close the plan" }}
      >
        <div {...typing}>
          <Editor plan={plan} plans={plans} onClose={onClose} />
        </div>
      </Drawer>
      {question}
    </>
  );
}

function Editor({ plan: opened, plans, onClose }: PlanEditorProps) {
  const [plan, setPlan] = useState(opened);
  const { draft, setDraft, faults, preview, shown, look, back, form } = usePlanDraft(plan, plans);
  const now = plans.find(({ name }) => name === plan?.name);
  if (shown !== null)
    return (
      <PlanDifference
        of={shown.put}
        isAgain={shown.isAgain}
        isLooking={preview.isPending}
        draft={draft}
        users={now?.users ?? 0}
        onAgain={() => look(true)}
        onBack={back}
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
      {plan !== undefined && now !== undefined && (
        <Overtaken
          fields={differing(plan, now)}
          onTake={() => {
            setPlan(now);
            setDraft(draftOf(now));
          }}
        />
      )}
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

/** In which fields a plan is another one by now. */
function differing(before: TermsWithUsers, now: TermsWithUsers): string[] {
  const [then, by] = [draftOf(before), draftOf(now)];
  return (Object.keys(then) as (keyof Draft)[]).filter((name) => then[name] !== by[name]).map(labelOf);
}

/** Somebody else has changed the plan since it was opened here: what is typed stays, and goes on from the old terms. */
function Overtaken({ fields, onTake }: { fields: string[]; onTake: () => void }) {
  if (fields.length === 0) return null;
  return (
    <div className={styles.overtaken} role="alert">
      <p>
        Somebody has changed this plan since you opened it: {fields.join(", ")}. Below it is still as you
        opened it, and saving it sets these back.
      </p>
      <Button size="xs" variant="default" onClick={onTake}>
        Begin anew from how it is
      </Button>
    </div>
  );
}
