import type { ReactNode } from "react";
import styles from "./Sections.module.css";

/** The pages that belong together, as links beside each other. */
export function Sections({ children }: { children: ReactNode[] }) {
  return (
    <nav className={styles.sections} aria-label="Sections">
      <ul>
        {children.map((link, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they never change
          <li key={place}>{link}</li>
        ))}
      </ul>
    </nav>
  );
}
