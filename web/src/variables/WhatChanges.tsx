import type { Changes } from "./dotenv";
import styles from "./variables.module.css";

interface WhatChangesProps {
  of: Changes;
  /** What others have changed, too, since the text was opened. */
  overwritten: string[];
}

/** The names of what saving a text would delete, change and make. */
export function WhatChanges({ of: { created, changed, deleted }, overwritten }: WhatChangesProps) {
  const parts = [
    { what: "Deleted", names: deleted },
    { what: "Changed", names: changed },
    { what: "New", names: created },
  ].filter(({ names }) => names.length > 0);
  if (parts.length === 0) return <p className={styles.about}>No changes</p>;
  return (
    <>
      <dl className={styles.changes} aria-label="What changes" tabIndex={0}>
        {parts.map(({ what, names }) => (
          <div key={what}>
            <dt>
              {what} ({names.length})
            </dt>
            <dd>{names.join(", ")}</dd>
          </div>
        ))}
      </dl>
      {overwritten.length > 0 && (
        <p className={styles.overwritten}>
          Changed elsewhere, too, since you opened this: {overwritten.join(", ")}. Saving puts yours in place
          of that.
        </p>
      )}
    </>
  );
}
