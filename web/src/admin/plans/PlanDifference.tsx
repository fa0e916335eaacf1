import { isOvertaken, usePutPlan } from "@/api/catalogue";
import type { PlanPut } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { count } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import { Changes } from "./Changes";
import { type Draft, planIn } from "./draft";
import styles from "./plans.module.css";

interface PlanDifferenceProps {
  of: PlanPut;
  /** Whether it is another one than was shown first, since somebody has changed the plan meanwhile. */
  isAgain: boolean;
  isLooking: boolean;
  draft: Draft;
  users: number;
  onAgain: () => void;
  onBack: () => void;
  onClose: () => void;
}

/** What saving would change, and for whom; then saving it. */
export function PlanDifference(props: PlanDifferenceProps) {
  const { of, isAgain, isLooking, draft, users, onAgain, onBack, onClose } = props;
  const { name, kind, changes, revision } = of;
  const put = usePutPlan();
  const title = planTitle(name);
  const isNew = kind === "added";
  const terms = changes.filter(({ isOfTerms }) => isOfTerms);
  const others = changes.filter(({ isOfTerms }) => !isOfTerms);
  const shown = { currency: draft.currency.trim(), isNew };
  const save = () =>
    put.mutate(
      { name, plan: planIn(draft).plan, revision },
      { onSuccess: onClose, onError: (problem) => isOvertaken(problem) && onAgain() },
    );
  return (
    <div className={styles.editor}>
      {isAgain && (
        <p className={styles.overtaken} role="alert">
          Somebody has changed {title} meanwhile, so nothing was saved. This is what saving changes now.
        </p>
      )}
      {kind === "same" && <p>Nothing would change: {title} is so already.</p>}
      {isNew && <p>{title} is new. Nobody has it until somebody takes it or is given it.</p>}
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
      {put.error !== null && !isOvertaken(put.error) && <ErrorState problem={put.error} />}
      <div className={styles.buttons}>
        {kind !== "same" && (
          <Button size="xs" loading={put.isPending || isLooking} onClick={save}>
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
