import { Button } from "@mantine/core";
import { CopyButton } from "@/shared/CopyButton";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { exactTime } from "@/shared/times";
import styles from "./webhooks.module.css";

interface SecretShownProps {
  secret: string;
  /** Until when the secret before signs along. */
  oldUntil?: string | null;
  onClose: () => void;
}

/** What messages are signed with. */
export function SecretShown({ secret, oldUntil = null, onClose }: SecretShownProps) {
  return (
    <Dialog title="The endpoint's secret" size="lg" onClose={onClose}>
      <div className={dialog.fields}>
        <div className={styles.secret}>
          <output aria-label="The secret">{secret}</output>
          <CopyButton text={secret} label="Copy the secret" />
        </div>
        {oldUntil !== null && (
          <p className={dialog.about}>
            The old secret signs along until {exactTime(oldUntil)}. Put this one in its place by then.
          </p>
        )}
        <p className={dialog.about}>
          The receiver verifies with it that a message comes from here, as any library for Standard Webhooks
          does.
        </p>
      </div>
      <div className={dialog.buttons}>
        <Button size="xs" data-autofocus onClick={onClose}>
          Done
        </Button>
      </div>
    </Dialog>
  );
}
