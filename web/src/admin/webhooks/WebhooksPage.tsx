import { Button } from "@mantine/core";
import { useState } from "react";
import type { Webhook, WebhookMade } from "@/api/types";
import { useWebhooks } from "@/api/webhooks";
import { headOf } from "@/places";
import { EmptyState } from "@/shared/EmptyState";
import { IconPlus } from "@/shared/icons";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { SecretShown } from "./SecretShown";
import { WebhookForm } from "./WebhookForm";
import { WebhooksTable } from "./WebhooksTable";

const MOST = 10;

/** Where other systems are told of events, and how that goes. */
export function WebhooksPage() {
  const webhooks = useWebhooks();
  const [isAdding, setIsAdding] = useState(false);
  const [made, setMade] = useState<WebhookMade | null>(null);
  const add = (
    <Button
      size="xs"
      leftSection={<IconPlus size={14} />}
      disabled={(webhooks.data ?? []).length >= MOST}
      onClick={() => setIsAdding(true)}
    >
      Add an endpoint
    </Button>
  );
  return (
    <>
      <PageHeader {...headOf("/admin/webhooks")}>{add}</PageHeader>
      <Panel flush>
        <Loaded query={webhooks} skeleton={<SkeletonRows rows={3} />}>
          {(found: Webhook[]) =>
            found.length === 0 ? (
              <EmptyState title="No other system is told">
                An endpoint gets a signed message when a user nears a limit, a plan changes or ends, or a day
                is unusually costly.
              </EmptyState>
            ) : (
              <WebhooksTable webhooks={found} />
            )
          }
        </Loaded>
      </Panel>
      {isAdding && (
        <WebhookForm
          onClose={() => setIsAdding(false)}
          onMade={(fresh) => {
            setIsAdding(false);
            setMade(fresh);
          }}
        />
      )}
      {made !== null && <SecretShown secret={made.secret} onClose={() => setMade(null)} />}
    </>
  );
}
