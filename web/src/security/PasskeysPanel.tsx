import { Button } from "@mantine/core";
import { useState } from "react";
import { useAccount, useIsActing } from "@/api/account";
import { knowsPasskeys, usePasskeys } from "@/api/passkeys";
import type { Passkey } from "@/api/types";
import { Tag } from "@/shared/badges";
import { EmptyState } from "@/shared/EmptyState";
import { IconEdit, IconPlus, IconTrash } from "@/shared/icons";
import { Loaded } from "@/shared/Loaded";
import { Panel } from "@/shared/Panel";
import { RowAction, RowActions } from "@/shared/RowActions";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { AddPasskey, RemovePasskey, RenamePasskey } from "./PasskeyDialogs";
import styles from "./security.module.css";

type Doing = { what: "add" } | { what: "rename" | "remove"; passkey: Passkey } | null;

/** Passkeys: one's devices that sign in without a mail. */
export function PasskeysPanel() {
  const passkeys = usePasskeys();
  const isActing = useIsActing();
  const [doing, setDoing] = useState<Doing>(null);
  const close = () => setDoing(null);
  const add = knowsPasskeys() && (
    <Button
      size="xs"
      leftSection={<IconPlus size={14} />}
      disabled={isActing || passkeys.data === undefined}
      onClick={() => setDoing({ what: "add" })}
    >
      Add a passkey
    </Button>
  );
  return (
    <>
      <Panel
        title="Passkeys"
        note={isActing ? "for the user alone to add and remove" : undefined}
        flush
        actions={add}
      >
        <Loaded query={passkeys} skeleton={<Outline />}>
          {(found) => <Passkeys found={found} act={isActing ? undefined : setDoing} />}
        </Loaded>
      </Panel>
      {doing?.what === "add" && <AddPasskey onClose={close} />}
      {doing?.what === "rename" && <RenamePasskey of={doing.passkey} onClose={close} />}
      {doing?.what === "remove" && <RemovePasskey of={doing.passkey} onClose={close} />}
    </>
  );
}

interface PasskeysProps {
  found: Passkey[];
  /** Left out: nothing can be done with them. */
  act?: ((doing: Doing) => void) | undefined;
}

function Passkeys({ found, act }: PasskeysProps) {
  const columns = act === undefined ? COLUMNS : [...COLUMNS, actions(act)];
  if (found.length > 0) return <Table rows={found} columns={columns} keyOf={({ id }) => id} />;
  return (
    <EmptyState title="No passkeys">
      {knowsPasskeys()
        ? "With a passkey you sign in by fingerprint, face or the code of your device, and wait for no mail. Nobody can phish it."
        : "This browser knows no passkeys, or this page did not come over a secure connection."}
    </EmptyState>
  );
}

const SOME: Omit<Passkey, "id"> = {
  name: "Passkey",
  createdAt: "2026-01-01T00:00:00Z",
  lastUsedAt: null,
  isSynced: true,
  transports: [],
};

/** Stands in for them, exactly as high: how many there are is known with the account. */
function Outline() {
  const held = useAccount().data?.passkeys ?? 0;
  const found = Array.from({ length: held }, (_, place) => ({ ...SOME, id: String(place) }));
  return (
    <div className={styles.outline}>
      <div className={styles.room} aria-hidden="true">
        <Passkeys found={found} act={() => undefined} />
      </div>
      <SkeletonRows rows={held || 2} />
    </div>
  );
}

const COLUMNS: Column<Passkey>[] = [
  {
    label: "Name",
    kind: "wide",
    title: ({ name }) => name,
    of: ({ name, isSynced }) => (
      <>
        <span className={styles.device}>{name}</span> {isSynced && <Tag>synced</Tag>}
      </>
    ),
  },
  {
    label: "Last used",
    isSoft: true,
    of: ({ lastUsedAt }) => (lastUsedAt === null ? "Never used" : <TimeAgo at={lastUsedAt} />),
  },
  {
    label: "Added",
    isSoft: true,
    isExtra: true,
    isNone: true,
    of: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

const actions = (act: (doing: Doing) => void): Column<Passkey> => ({
  label: "Actions",
  heading: <span className="visually-hidden">Actions</span>,
  of: (passkey) => (
    <RowActions>
      <RowAction
        does="Rename"
        label={`Rename ${passkey.name}`}
        onClick={() => act({ what: "rename", passkey })}
      >
        <IconEdit />
      </RowAction>
      <RowAction
        does="Remove"
        label={`Remove ${passkey.name}`}
        onClick={() => act({ what: "remove", passkey })}
      >
        <IconTrash />
      </RowAction>
    </RowActions>
  ),
});
