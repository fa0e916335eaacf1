import { TextInput } from "@mantine/core";
import { useState } from "react";
import { useChangeAccount } from "@/api/account";
import type { Account } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { Panel } from "@/shared/Panel";
import { TimeAgo } from "@/shared/TimeAgo";
import { exactTime } from "@/shared/times";
import { useUnsavedOnPage } from "@/shared/useUnsaved";
import { PictureField } from "./PictureField";
import { Row } from "./Row";
import styles from "./settings.module.css";

/** Who one is here, and what one looks like. */
export function ProfilePanel({ account }: { account: Account }) {
  const change = useChangeAccount();
  const [name, setName] = useState<string | null>(null);
  const kept = account.name ?? "";
  const shown = name ?? kept;
  const fault = change.error?.faults.find(({ field }) => field === "name")?.message;
  const isSame = shown.trim() === kept;
  const question = useUnsavedOnPage(!isSame);
  return (
    <Panel title="Profile">
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate({ name: shown.trim() || null }, { onSuccess: () => setName(null) });
        }}
      >
        <Row label="Picture" about="Shown beside your name. A square looks best.">
          <PictureField account={account} />
        </Row>
        <Row label="Name" about="Shown in place of your address.">
          <TextInput
            aria-label="Name"
            value={shown}
            maxLength={200}
            error={fault}
            onChange={({ currentTarget: { value } }) => setName(value)}
          />
        </Row>
        <Row
          label="E-mail"
          about={
            account.lastLoginAt == null ? (
              "Who you are here."
            ) : (
              <span title={exactTime(account.lastLoginAt)}>
                Who you are here. You last signed in <TimeAgo at={account.lastLoginAt} />.
              </span>
            )
          }
        >
          <TextInput aria-label="E-mail" value={account.email} readOnly variant="filled" />
        </Row>
        {change.error !== null && fault === undefined && <ErrorState problem={change.error} />}
        <footer className={styles.foot}>
          <Button type="submit" size="xs" disabled={isSame} loading={change.isPending}>
            Save profile
          </Button>
          <span role="status">{change.isSuccess && isSame ? "Saved." : ""}</span>
        </footer>
      </form>
      {question}
    </Panel>
  );
}
