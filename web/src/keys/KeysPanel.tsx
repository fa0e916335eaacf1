import { Button, Switch } from "@mantine/core";
import { useState } from "react";
import { useIsActing } from "@/api/account";
import { useKeys, type Whose } from "@/api/keys";
import { EmptyState } from "@/shared/EmptyState";
import { IconPlus } from "@/shared/icons";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { KeysTable } from "./KeysTable";
import { NewKeyDialog } from "./NewKeyDialog";

interface KeysPanelProps {
  whose: Whose;
  /** What there is where there are no keys. */
  empty: { title: string; about: string };
}

/** Keys: made, rotated and revoked. Those that have ended are out of the way. */
export function KeysPanel({ whose, empty }: KeysPanelProps) {
  const keys = useKeys(whose);
  const isActing = useIsActing();
  const [isAdding, setIsAdding] = useState(false);
  const [withEnded, setWithEnded] = useState(false);
  const add = (
    <Button
      size="xs"
      leftSection={<IconPlus size={14} />}
      disabled={isActing}
      onClick={() => setIsAdding(true)}
    >
      New key
    </Button>
  );
  const all = keys.data?.pages.flatMap(({ items }) => items) ?? [];
  const working = all.filter(({ status }) => status === "active" || status === "replaced");
  const ended = all.length - working.length;
  const toggle = ended > 0 && (
    <Switch
      size="xs"
      label={`Show ${ended} ended`}
      checked={withEnded}
      onChange={({ currentTarget }) => setWithEnded(currentTarget.checked)}
    />
  );
  const shown = withEnded ? all : working;
  return (
    <>
      <Panel
        title={whose === "own" ? "API keys" : "Service keys"}
        note={isActing ? "for the user alone to make and end" : undefined}
        flush
        actions={[toggle, add]}
      >
        <Loaded query={keys} skeleton={<SkeletonRows rows={3} />}>
          {() =>
            shown.length === 0 ? (
              <EmptyState title={empty.title}>{empty.about}</EmptyState>
            ) : (
              <KeysTable whose={whose} keys={shown} isReadOnly={isActing} />
            )
          }
        </Loaded>
        <MoreRows {...keys} />
      </Panel>
      {isAdding && <NewKeyDialog whose={whose} onClose={() => setIsAdding(false)} />}
    </>
  );
}
