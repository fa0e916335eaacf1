import { useRate } from "@/api/requests";
import { ErrorState } from "@/shared/ErrorState";
import { IconStar } from "@/shared/icons";
import styles from "./RequestDrawer.module.css";

const RATINGS = [1, 2, 3, 4, 5];

/** What one thinks of a request; the same star again takes it back. */
export function RatingInput({ id, rating }: { id: string; rating: number | null }) {
  const rate = useRate(id);
  const shown = rate.isPending ? rate.variables : rating;
  return (
    <section>
      <h3>Your rating</h3>
      <fieldset className={styles.rating} aria-label="Your rating" aria-busy={rate.isPending || undefined}>
        {RATINGS.map((each) => (
          <button
            key={each}
            type="button"
            // Switched off in earnest, the star would lose the focus of whoever pressed it.
            aria-disabled={rate.isPending || undefined}
            aria-pressed={shown === each}
            aria-label={`${each} of 5`}
            data-lit={shown !== null && each <= shown}
            onClick={() => rate.mutate(each === rating ? null : each)}
          >
            <IconStar size={20} />
          </button>
        ))}
        <span>{shown === null ? "Not rated yet" : `${shown} of 5`}</span>
      </fieldset>
      {rate.error !== null && <ErrorState problem={rate.error} />}
    </section>
  );
}
