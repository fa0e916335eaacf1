import { useStopActing } from "@/api/account";
import type { Account } from "@/api/types";
import { Button } from "@/shared/Button";
import { IconWarning } from "@/shared/icons";
import { useLeaving } from "@/shared/useUnsaved";
import styles from "./Shell.module.css";

/** An operator sees what somebody else does: told on every page, with the way back. */
export function ActingBanner({ account }: { account: Account }) {
  const stop = useStopActing(account.id);
  const { leave, question } = useLeaving(stop.mutate);
  return (
    <section className={styles.acting} aria-label="Acting as somebody else">
      <IconWarning />
      <p>
        You act as <strong>{account.email}</strong>. What you do is noted as yours.
        {stop.error !== null && <span role="alert"> {stop.error.detail}</span>}
      </p>
      <Button size="compact-sm" variant="default" loading={stop.isPending} onClick={leave}>
        Stop
      </Button>
      {question}
    </section>
  );
}
