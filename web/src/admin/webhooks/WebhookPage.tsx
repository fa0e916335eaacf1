import { Skeleton } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import type { Webhook } from "@/api/types";
import { useWebhook } from "@/api/webhooks";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { DeadEnd } from "@/shell/DeadEnd";
import { Deliveries } from "./Deliveries";
import { WebhookControls } from "./WebhookControls";
import { Health } from "./WebhooksTable";
import styles from "./webhooks.module.css";
import { KINDS } from "./words";

/** One endpoint: what can be done with it, and what was sent to it. */
export function WebhookPage() {
  const { webhook: id = "" } = useParams({ strict: false });
  const webhook = useWebhook(id);
  return (
    <>
      <nav className={styles.up} aria-label="Breadcrumb">
        <Link to="/admin/webhooks">Webhooks</Link>
      </nav>
      <Loaded query={webhook} skeleton={<Skeleton height={400} />} missing={<NoWebhook />}>
        {(found: Webhook) => (
          <>
            <PageHeader title={new URL(found.url).host} tab="Webhook" about={<About of={found} />}>
              <WebhookControls of={found} />
            </PageHeader>
            <Deliveries of={found} />
          </>
        )}
      </Loaded>
    </>
  );
}

function NoWebhook() {
  return (
    <DeadEnd title="Webhook" said="There is no such endpoint" to="/admin/webhooks" way="To all webhooks">
      The address may be mistyped, or it was removed.
    </DeadEnd>
  );
}

function About({ of: webhook }: { of: Webhook }) {
  const { url, description, kinds } = webhook;
  return (
    <span className={styles.facts}>
      <Health of={webhook} />
      <code>{url}</code>
      {description !== "" && <span>{description}</span>}
      <span>
        Told {kinds.length === 0 ? "of everything." : `when ${kinds.map((kind) => KINDS[kind]).join(", ")}.`}
      </span>
    </span>
  );
}
