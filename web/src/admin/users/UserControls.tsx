import { Button, Modal, Select, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useChangeUser, usePlansWithUsers } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { ErrorState } from "@/shared/ErrorState";
import { Panel } from "@/shared/Panel";
import styles from "./users.module.css";

/** What an operator may change of a user. */
export function UserControls({ user }: { user: DirectoryEntry }) {
  return (
    <div className={styles.controls}>
      <PlanControl key={`${user.plan}${user.planExpiresAt ?? ""}`} user={user} />
      <NoteControl user={user} />
    </div>
  );
}

function PlanControl({ user }: { user: DirectoryEntry }) {
  const change = useChangeUser(user.id);
  const plans = usePlansWithUsers().data ?? [];
  const [plan, setPlan] = useState(user.plan);
  const [until, setUntil] = useState(user.planExpiresAt?.slice(0, 10) ?? "");
  const isSame = plan === user.plan && until === (user.planExpiresAt?.slice(0, 10) ?? "");
  const names = [...new Set([user.plan, ...plans.map(({ name }) => name)])];
  return (
    <Panel title="Plan" actions={<ActiveControl user={user} />}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate({ plan, planExpiresAt: until === "" ? null : `${until}T00:00:00Z` });
        }}
      >
        <Select
          size="xs"
          label="Plan"
          data={names}
          allowDeselect={false}
          value={plan}
          onChange={(chosen) => setPlan(chosen ?? user.plan)}
        />
        <TextInput
          size="xs"
          type="date"
          label="Until (leave empty for no end)"
          value={until}
          onChange={({ currentTarget }) => setUntil(currentTarget.value)}
        />
        <Button type="submit" size="xs" disabled={isSame} loading={change.isPending}>
          Change
        </Button>
      </form>
      {change.error !== null && <ErrorState problem={change.error} />}
    </Panel>
  );
}

function NoteControl({ user }: { user: DirectoryEntry }) {
  const change = useChangeUser(user.id);
  const [note, setNote] = useState(user.note ?? "");
  const isSame = note.trim() === (user.note ?? "");
  return (
    <Panel title="Note" note="only operators see it">
      <form
        className={styles.note}
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate({ note: note.trim() || null });
        }}
      >
        <Textarea
          size="xs"
          aria-label="Note"
          autosize
          minRows={2}
          maxRows={8}
          maxLength={4000}
          placeholder="What the next operator should know"
          value={note}
          onChange={({ currentTarget }) => setNote(currentTarget.value)}
        />
        <Button type="submit" size="xs" variant="default" disabled={isSame} loading={change.isPending}>
          Save
        </Button>
      </form>
      {change.error !== null && <ErrorState problem={change.error} />}
    </Panel>
  );
}

function ActiveControl({ user }: { user: DirectoryEntry }) {
  const change = useChangeUser(user.id);
  const [isAsking, setIsAsking] = useState(false);
  const toggle = () => change.mutate({ isActive: !user.isActive }, { onSuccess: () => setIsAsking(false) });
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setIsAsking(true)}>
        {user.isActive ? "Switch off …" : "Switch on …"}
      </Button>
      <Modal
        opened={isAsking}
        onClose={() => setIsAsking(false)}
        title={user.isActive ? "Switch this account off?" : "Switch this account on?"}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <p>
          {user.isActive
            ? "Every further request of this user is refused and they can no longer sign in. What was recorded stays."
            : "Requests of this user are let through again, as far as the plan allows."}
        </p>
        {change.error !== null && <ErrorState problem={change.error} />}
        <div className={styles.buttons}>
          <Button
            size="xs"
            {...(user.isActive ? { color: "red" } : {})}
            loading={change.isPending}
            onClick={toggle}
          >
            {user.isActive ? "Switch off" : "Switch on"}
          </Button>
          <Button size="xs" variant="default" onClick={() => setIsAsking(false)}>
            Cancel
          </Button>
        </div>
      </Modal>
    </>
  );
}
