import { Checkbox, Select, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useCreateKey, type Whose } from "@/api/keys";
import type { KeyMade, Scope } from "@/api/types";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { KeyShown } from "./KeyShown";
import styles from "./keys.module.css";
import { scopesOf } from "./scopes";
import { addressesIn, endOf, LIFETIMES } from "./terms";

interface NewKeyDialogProps {
  whose: Whose;
  onClose: () => void;
}

/** What a new key is called and may do; once it is made, the key itself. */
export function NewKeyDialog({ whose, onClose }: NewKeyDialogProps) {
  const [made, setMade] = useState<KeyMade | null>(null);
  if (made !== null) return <KeyShown made={made} onClose={onClose} />;
  return (
    <Dialog title={whose === "own" ? "New API key" : "New service key"} size="lg" isForm onClose={onClose}>
      <NewKeyForm whose={whose} onMade={setMade} onClose={onClose} />
    </Dialog>
  );
}

function NewKeyForm({ whose, onMade, onClose }: NewKeyDialogProps & { onMade: (made: KeyMade) => void }) {
  const create = useCreateKey(whose);
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(
    scopesOf(whose).flatMap(({ scope, isUsual }) => (isUsual ? [scope] : [])),
  );
  const [lifetime, setLifetime] = useState("90");
  const [date, setDate] = useState("");
  const [addresses, setAddresses] = useState("");
  // One of several addresses is named as such: addresses[1].
  const faultOf = (name: string) =>
    create.error?.faults.find(({ field }) => field.replace(/\W.*$/, "") === name)?.message;
  const isWhole = name.trim() !== "" && scopes.length > 0 && (lifetime !== "date" || date !== "");
  const ask = () =>
    create.mutate(
      { name: name.trim(), scopes, expiresAt: endOf(lifetime, date), addresses: addressesIn(addresses) },
      { onSuccess: onMade },
    );
  return (
    <form
      className={dialog.fields}
      onSubmit={(event) => {
        event.preventDefault();
        ask();
      }}
    >
      <TextInput
        label="Name"
        description="What will use it, so that you know later what stops if you revoke it."
        placeholder={whose === "own" ? "Nightly report" : "Backend of the shop"}
        data-autofocus
        maxLength={200}
        value={name}
        error={faultOf("name")}
        onChange={({ currentTarget }) => setName(currentTarget.value)}
      />
      <Checkbox.Group
        label="What it may do"
        value={scopes}
        error={faultOf("scopes")}
        onChange={(chosen) => setScopes(chosen as Scope[])}
      >
        <div className={styles.scopes}>
          {scopesOf(whose).map(({ scope, label, about }) => (
            <Checkbox key={scope} value={scope} label={label} description={about} />
          ))}
        </div>
      </Checkbox.Group>
      <div className={styles.two}>
        <Select
          label="Works for"
          data={LIFETIMES}
          allowDeselect={false}
          value={lifetime}
          error={lifetime === "date" ? undefined : faultOf("expiresAt")}
          onChange={(chosen) => setLifetime(chosen ?? lifetime)}
        />
        {lifetime === "date" && (
          <TextInput
            label="Last day"
            type="date"
            value={date}
            error={faultOf("expiresAt")}
            onChange={({ currentTarget }) => setDate(currentTarget.value)}
          />
        )}
      </div>
      <Textarea
        label="Only from these addresses"
        description="IP addresses or networks, one a line. Leave it empty to allow all."
        placeholder={"203.0.113.7\n2001:db8::/32"}
        autosize
        minRows={2}
        maxRows={6}
        spellCheck={false}
        classNames={{ input: styles.mono ?? "" }}
        value={addresses}
        error={faultOf("addresses")}
        onChange={({ currentTarget }) => setAddresses(currentTarget.value)}
      />
      {create.error !== null && create.error.faults.length === 0 && <ErrorState problem={create.error} />}
      <div className={styles.buttons}>
        <Button type="submit" size="xs" disabled={!isWhole} loading={create.isPending}>
          Create key
        </Button>
        <Button variant="default" size="xs" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </form>
  );
}
