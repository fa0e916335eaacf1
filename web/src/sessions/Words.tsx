import { lazy, Suspense, useState } from "react";
import { count } from "@/shared/format";
import styles from "./sessions.module.css";

const Markdown = lazy(() => import("@/requests/Markdown"));

const LONG = 1_200;
// Of very long ones no more is laid out than one sees before one asks for all.
const MOST = 4_000;

/** What somebody wrote; of a long one the beginning, and all of it on demand. */
export function Words({ text, isFormatted }: { text: string; isFormatted: boolean }) {
  const [isWhole, setIsWhole] = useState(false);
  const isLong = text.length > LONG;
  const shown = isWhole ? text : text.slice(0, MOST);
  return (
    <div className={styles.words}>
      <div className={styles.shown} data-plain={!isFormatted || undefined} data-cut={isLong && !isWhole}>
        {isFormatted ? (
          <Suspense fallback={shown}>
            <Markdown text={shown} />
          </Suspense>
        ) : (
          shown
        )}
      </div>
      {isLong && (
        <button
          type="button"
          className={styles.more}
          aria-expanded={isWhole}
          onClick={() => setIsWhole(!isWhole)}
        >
          {isWhole ? "Show less" : `Show all ${count(text.length)} characters`}
        </button>
      )}
    </div>
  );
}
