import { usePortal } from "@/api/plans";
import type { OwnPlan } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import styles from "./plan.module.css";

/** The way to where what one has bought is changed and cancelled, and where its invoices are. */
export function Subscription({ of }: { of: NonNullable<OwnPlan["subscription"]> }) {
  const portal = usePortal();
  return (
    <>
      <Button
        className={styles.portal ?? ""}
        size="xs"
        variant="default"
        loading={portal.isPending}
        onClick={() => portal.mutate(undefined, { onSuccess: (url) => location.assign(url) })}
      >
        {of === "running" ? "Manage subscription" : "See invoices"}
      </Button>
      {portal.error !== null && <ErrorState problem={portal.error} />}
    </>
  );
}
