import { Checkbox, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Webhook, WebhookKind, WebhookMade } from "@/api/types";
import { useAddWebhook, useChangeWebhook } from "@/api/webhooks";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import styles from "./webhooks.module.css";
import { KINDS } from "./words";

interface WebhookFormProps {
  /** Which one is changed; left out: a new one. */
  of?: Webhook;
  onMade?: (made: WebhookMade) => void;
  onClose: () => void;
}

/** Where an endpoint is, and what it is told of. */
export function WebhookForm({ of: webhook, onMade, onClose }: WebhookFormProps) {
  const add = useAddWebhook();
  const change = useChangeWebhook(webhook?.id ?? "");
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [kinds, setKinds] = useState<WebhookKind[]>(webhook?.kinds ?? []);
  const { error, isPending } = webhook === undefined ? add : change;
  const faultOf = (name: string) => error?.faults.find(({ field }) => field.startsWith(name))?.message;
  const submit = () => {
    const told = { url: url.trim(), description, kinds };
    if (webhook === undefined) add.mutate(told, { onSuccess: (made) => onMade?.(made) });
    // What stays is left out: the same address again would be taken for a new one.
    else change.mutate({ ...told, url: told.url === webhook.url ? null : told.url }, { onSuccess: onClose });
  };
  return (
    <Dialog
      title={webhook === undefined ? "Add an endpoint" : "Change the endpoint"}
      size="lg"
      isForm
      onClose={onClose}
    >
      <form
        className={dialog.fields}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <TextInput
          label="Address"
          description="Reached over https from this service, at port 443 or 8443."
          placeholder="https://example.com/hooks"
          data-autofocus
          maxLength={2_000}
          spellCheck={false}
          value={url}
          error={faultOf("url")}
          onChange={({ currentTarget }) => setUrl(currentTarget.value)}
        />
        <Textarea
          label="What it is for"
          autosize
          maxRows={4}
          maxLength={500}
          value={description}
          error={faultOf("description")}
          onChange={({ currentTarget }) => setDescription(currentTarget.value)}
        />
        <Checkbox.Group
          label="It is told when"
          description="With none chosen it is told of everything, also of what is new in later versions."
          value={kinds}
          error={faultOf("kinds")}
          onChange={(chosen) => setKinds(chosen as WebhookKind[])}
        >
          <div className={styles.kinds}>
            {Object.entries(KINDS).map(([kind, words]) => (
              <Checkbox key={kind} value={kind} label={words} description={kind} />
            ))}
          </div>
        </Checkbox.Group>
        {error !== null && error.faults.length === 0 && <ErrorState problem={error} />}
        <div className={styles.buttons}>
          <Button type="submit" size="xs" disabled={url.trim() === ""} loading={isPending}>
            {webhook === undefined ? "Add" : "Save"}
          </Button>
          <Button variant="default" size="xs" onClick={onClose}>
            Cancel
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
