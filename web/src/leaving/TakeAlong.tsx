import { everything, useIsActing } from "@/api/account";
import { useAct } from "@/api/act";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { IconDownload } from "@/shared/icons";
import { Panel } from "@/shared/Panel";
import { saved } from "@/shared/saved";
import styles from "./leaving.module.css";

/** Everything about oneself, to take along. */
export function TakeAlong() {
  const isActing = useIsActing();
  const take = useAct({
    mutationFn: everything,
    onSuccess: (archive) => saved(archive, "tollkeeper-account.zip"),
  });
  return (
    <Panel title="Download everything" note={isActing ? "for the user alone" : undefined}>
      <div className={styles.part}>
        <div>
          <p>
            One archive with all that is kept about you: requests with their texts, conversations, sums,
            plans, variables, keys, sign-ins and activity, each as JSON and as CSV.
          </p>
          <p className={styles.soft}>Secrets are masked, and of keys only the beginning is known.</p>
          {take.error !== null && <ErrorState problem={take.error} />}
        </div>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconDownload />}
          disabled={isActing}
          loading={take.isPending}
          onClick={() => take.mutate()}
        >
          Download
        </Button>
      </div>
    </Panel>
  );
}
