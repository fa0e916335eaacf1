import { Menu } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Webhook, WebhookMade } from "@/api/types";
import {
  useChangeWebhook,
  useRemoveWebhook,
  useRevealWebhook,
  useRotateWebhook,
  useTestWebhook,
} from "@/api/webhooks";
import { AskFirst } from "@/shared/AskFirst";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { duration } from "@/shared/format";
import { IconMore } from "@/shared/icons";
import { SecretShown } from "./SecretShown";
import { WebhookForm } from "./WebhookForm";
import styles from "./webhooks.module.css";
import { outcomeOf } from "./words";

type Doing = "change" | "rotate" | "remove" | "off" | null;

/** What an operator does with an endpoint. */
export function WebhookControls({ of: webhook }: { of: Webhook }) {
  const [doing, setDoing] = useState<Doing>(null);
  const [rotated, setRotated] = useState<WebhookMade | null>(null);
  const reveal = useRevealWebhook(webhook.id);
  const switched = useChangeWebhook(webhook.id);
  const close = () => setDoing(null);
  const failed = reveal.error ?? switched.error;
  return (
    <div className={styles.controls}>
      <Test of={webhook} />
      {!webhook.isActive && (
        <Button
          size="xs"
          loading={switched.isPending}
          onClick={() => switched.mutate({ isActive: true }, { onSuccess: reveal.reset })}
        >
          Switch on
        </Button>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default" leftSection={<IconMore size={14} />}>
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setDoing("change")}>Change</Menu.Item>
          <Menu.Item onClick={() => reveal.mutate(undefined, { onSuccess: switched.reset })}>
            Show the secret
          </Menu.Item>
          <Menu.Item onClick={() => setDoing("rotate")}>Rotate the secret</Menu.Item>
          {webhook.isActive && <Menu.Item onClick={() => setDoing("off")}>Switch off</Menu.Item>}
          <Menu.Item color="red" onClick={() => setDoing("remove")}>
            Remove
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {failed !== null && <ErrorState problem={failed} />}
      {doing === "change" && <WebhookForm of={webhook} onClose={close} />}
      {doing === "off" && <SwitchOff of={webhook} onClose={close} />}
      {doing === "remove" && <Remove of={webhook} onClose={close} />}
      {doing === "rotate" && <Rotate of={webhook} onRotated={setRotated} onClose={close} />}
      {reveal.data !== undefined && (
        <SecretShown secret={reveal.data} oldUntil={webhook.oldSecretUntil} onClose={reveal.reset} />
      )}
      {rotated !== null && (
        <SecretShown
          secret={rotated.secret}
          oldUntil={rotated.webhook.oldSecretUntil}
          onClose={() => setRotated(null)}
        />
      )}
    </div>
  );
}

/** Sends a message now; what came back stands beside it, and what went wrong below. */
function Test({ of: { id } }: { of: Webhook }) {
  const test = useTestWebhook(id);
  const told = test.data && `${outcomeOf(test.data)}, after ${duration(test.data.durationMs)}`;
  const isTaken =
    test.data !== undefined && test.data.error === null && Math.floor((test.data.status ?? 0) / 100) === 2;
  return (
    <>
      <output
        className={styles.tested}
        aria-label="What came back"
        data-refused={(told && !isTaken) || undefined}
      >
        {told && !isTaken && <strong>The test was not taken</strong>}
        {told && <span>{told}</span>}
      </output>
      <Button size="xs" variant="default" loading={test.isPending} onClick={() => test.mutate()}>
        Send a test
      </Button>
      {test.error !== null && <ErrorState problem={test.error} />}
    </>
  );
}

interface AskProps {
  of: Webhook;
  onClose: () => void;
}

function SwitchOff({ of: { id }, onClose }: AskProps) {
  const change = useChangeWebhook(id);
  const act = {
    ...change,
    mutate: (_: undefined, then: { onSuccess: () => void }) => change.mutate({ isActive: false }, then),
  };
  return (
    <AskFirst title="Switch this endpoint off?" verb="Switch off" act={act} onClose={onClose}>
      <p>It is told of nothing that happens until it is on again. What waits for it already is sent then.</p>
    </AskFirst>
  );
}

function Rotate({ of: { id }, onRotated, onClose }: AskProps & { onRotated: (made: WebhookMade) => void }) {
  const rotate = useRotateWebhook(id);
  const act = {
    ...rotate,
    mutate: (_: undefined, then: { onSuccess: () => void }) =>
      rotate.mutate(undefined, {
        onSuccess: (made) => {
          then.onSuccess();
          onRotated(made);
        },
      }),
  };
  return (
    <AskFirst title="Rotate the secret?" verb="Rotate" act={act} onClose={onClose}>
      <p>
        Messages are signed with a new secret from now on, and for 24 hours with the old one too. A secret
        that was replaced before that ends at once.
      </p>
    </AskFirst>
  );
}

function Remove({ of: { id, waiting }, onClose }: AskProps) {
  const remove = useRemoveWebhook(id);
  const navigate = useNavigate();
  const act = {
    ...remove,
    mutate: () => remove.mutate(undefined, { onSuccess: () => void navigate({ to: "/admin/webhooks" }) }),
  };
  return (
    <AskFirst title="Remove this endpoint?" verb="Remove" act={act} onClose={onClose}>
      <p>
        Its deliveries go with it{waiting > 0 && `, and ${waiting} that wait are not sent`}. An endpoint that
        is added again has another secret.
      </p>
    </AskFirst>
  );
}
