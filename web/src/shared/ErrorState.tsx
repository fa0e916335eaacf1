import { Button } from "@mantine/core";
import { Problem } from "@/api/call";
import styles from "./shared.module.css";

/** What went wrong, in the service's words, and another try. */
export function ErrorState({ problem, retry }: { problem: Error; retry?: () => void }) {
  const known = problem instanceof Problem;
  return (
    <div className={styles.state} role="alert">
      <h2>{known ? problem.title : "Something went wrong on this page"}</h2>
      <p>{known ? problem.detail : problem.message}</p>
      {retry !== undefined && (
        <Button className={styles.stateAction ?? ""} variant="default" size="xs" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}
