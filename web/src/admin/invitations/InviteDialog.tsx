import { Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { useInvite } from "@/api/invitations";
import { usePlans } from "@/api/plans";
import type { Invitation, Invited } from "@/api/types";
import { Button } from "@/shared/Button";
import { CopyButton } from "@/shared/CopyButton";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { planChoices } from "@/shared/planTitle";
import { exactTime } from "@/shared/times";
import styles from "./invitations.module.css";

interface InviteDialogProps {
  /** Whose invitation is over, where it is made again. */
  again?: Invitation | undefined;
  onClose: () => void;
}

/** Whom to invite; once that is done, how they hear of it. */
export function InviteDialog({ again, onClose }: InviteDialogProps) {
  const [made, setMade] = useState<Invited | null>(null);
  return (
    <Dialog title={made === null ? "Invite somebody" : "Invited"} isForm={made === null} onClose={onClose}>
      {made === null ? (
        <InviteForm again={again} onMade={setMade} onClose={onClose} />
      ) : (
        <Told made={made} onClose={onClose} />
      )}
    </Dialog>
  );
}

function InviteForm({ again, onMade, onClose }: InviteDialogProps & { onMade: (made: Invited) => void }) {
  const invite = useInvite();
  const plans = usePlans().data ?? [];
  const [email, setEmail] = useState(again?.email ?? "");
  const [plan, setPlan] = useState(again?.plan ?? "free");
  const fault = invite.error?.faults.find(({ field }) => field === "email")?.message;
  return (
    <form
      className={dialog.fields}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        invite.mutate({ email: email.trim(), plan }, { onSuccess: onMade });
      }}
    >
      <TextInput
        label="E-mail address"
        type="email"
        placeholder="you@example.com"
        data-autofocus
        maxLength={320}
        value={email}
        error={fault}
        onChange={({ currentTarget }) => setEmail(currentTarget.value)}
      />
      <Select
        label="Plan"
        description="Which one they begin on."
        data={planChoices([...new Set([plan, ...plans.map(({ name }) => name)])])}
        allowDeselect={false}
        value={plan}
        onChange={(chosen) => setPlan(chosen ?? plan)}
      />
      {invite.error !== null && fault === undefined && <ErrorState problem={invite.error} />}
      <div className={dialog.buttons}>
        <Button type="submit" size="xs" disabled={email.trim() === ""} loading={invite.isPending}>
          Invite
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

/** A mail says so, or the operator does: the link is where one signs in, and no secret. */
function Told({ made: { invitation, isMailed, url }, onClose }: { made: Invited; onClose: () => void }) {
  return (
    <>
      <p className={styles.whom}>
        <strong>{invitation.email}</strong> may sign up until {exactTime(invitation.expiresAt)}.{" "}
        {isMailed ? "A mail that says so is on its way." : "There is no mail server: send them this address."}
      </p>
      {!isMailed && (
        <p className={styles.link}>
          <output aria-label="Where they sign in">{url}</output>
          <CopyButton text={url} label="Copy the link" />
        </p>
      )}
      <div className={dialog.buttons}>
        <Button size="xs" data-autofocus onClick={onClose}>
          Done
        </Button>
      </div>
    </>
  );
}
