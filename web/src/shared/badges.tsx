import styles from "./shared.module.css";

const TONES: Record<string, string> = { completed: "good", failed: "bad", pending: "waiting" };
const WORDS: Record<string, string> = { completed: "Completed", failed: "Failed", pending: "Pending" };

/** How a request stands. */
export function StatusBadge({
  status,
  errorCode,
}: {
  status: string;
  errorCode?: string | null | undefined;
}) {
  const word = errorCode === "expired" ? "Expired" : (WORDS[status] ?? status);
  return (
    <span className={styles.badge} data-tone={TONES[status] ?? "off"}>
      {word}
    </span>
  );
}

/** Whether something works. */
export function OkBadge({ ok, children }: { ok: boolean; children: string }) {
  return (
    <span className={styles.badge} data-tone={ok ? "good" : "bad"}>
      {children}
    </span>
  );
}

interface TagProps {
  tone?: "accent" | "warn";
  children: string;
}

/** A word that stands for itself: a plan, a type, a source. */
export function Tag({ tone, children }: TagProps) {
  return (
    <span className={styles.tag} data-tone={tone} title={children}>
      {children}
    </span>
  );
}
