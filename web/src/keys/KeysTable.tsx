import { useState } from "react";
import type { Whose } from "@/api/keys";
import type { ApiKey } from "@/api/types";
import { NONE } from "@/shared/format";
import { IconRotate, IconTrash } from "@/shared/icons";
import { RowAction, RowActions } from "@/shared/RowActions";
import badges from "@/shared/shared.module.css";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { exactTime, lastDayOf } from "@/shared/times";
import { Until } from "@/shared/Until";
import styles from "./keys.module.css";
import { RevokeKeyDialog } from "./RevokeKeyDialog";
import { RotateKeyDialog } from "./RotateKeyDialog";
import { scopeWords } from "./scopes";

interface KeysTableProps {
  whose: Whose;
  keys: ApiKey[];
  isReadOnly: boolean;
}

type Doing = { what: "rotate" | "revoke"; key: ApiKey } | null;

/** Keys, one a row. */
export function KeysTable({ whose, keys, isReadOnly }: KeysTableProps) {
  const [doing, setDoing] = useState<Doing>(null);
  const close = () => setDoing(null);
  return (
    <>
      <Table
        rows={keys}
        columns={isReadOnly ? COLUMNS : [...COLUMNS, actions(setDoing)]}
        keyOf={({ id }) => id}
      />
      {doing?.what === "rotate" && <RotateKeyDialog whose={whose} of={doing.key} onClose={close} />}
      {doing?.what === "revoke" && <RevokeKeyDialog whose={whose} of={doing.key} onClose={close} />}
    </>
  );
}

const isOver = ({ status }: ApiKey): boolean => status === "revoked" || status === "expired";

const endsWithDay = (end: string | null): boolean => lastDayOf(end ?? "") !== undefined;

const COLUMNS: Column<ApiKey>[] = [
  { label: "Name", kind: "wide", title: ({ name }) => name, of: (key) => <Name of={key} /> },
  { label: "Status", of: (key) => <Status of={key} /> },
  {
    label: "Last used",
    isSoft: true,
    unit: ({ lastUsedAt }) => (lastUsedAt == null ? "" : "used"),
    of: ({ lastUsedAt }) => (lastUsedAt == null ? "Never used" : <TimeAgo at={lastUsedAt} />),
  },
  {
    label: "Works until",
    isSoft: true,
    before: ({ expiresAt }) => (endsWithDay(expiresAt) ? "works" : undefined),
    unit: ({ expiresAt }) => (endsWithDay(expiresAt) ? "" : "it ends"),
    isNone: (key) => key.expiresAt === null || isOver(key),
    title: ({ expiresAt }) => (expiresAt === null ? undefined : exactTime(expiresAt)),
    of: (key) => (isOver(key) ? NONE : key.expiresAt === null ? "No end" : <Until at={key.expiresAt} />),
  },
  {
    label: "Created",
    isSoft: true,
    isExtra: true,
    isNone: true,
    of: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

const actions = (act: (doing: Doing) => void): Column<ApiKey> => ({
  label: "Actions",
  heading: <span className="visually-hidden">Actions</span>,
  of: (key) => !isOver(key) && <Actions of={key} act={act} />,
});

function Name({ of: { name, shownAs, scopes, addresses } }: { of: ApiKey }) {
  const where = addresses.length === 0 ? "" : ` · only from ${addresses.join(", ")}`;
  return (
    <div className={styles.name}>
      <p>
        <strong>{name}</strong> <code>{shownAs}</code>
      </p>
      <p className={styles.about}>
        {scopeWords(scopes)}
        {where}
      </p>
    </div>
  );
}

const STATUSES = {
  active: { tone: "good", word: "Active" },
  replaced: { tone: "waiting", word: "Replaced" },
  expired: { tone: "off", word: "Expired" },
  revoked: { tone: "off", word: "Revoked" },
};

function Status({ of: { status } }: { of: ApiKey }) {
  const { tone, word } = STATUSES[status];
  return (
    <span className={badges.badge} data-tone={tone}>
      {word}
    </span>
  );
}

function Actions({ of: key, act }: { of: ApiKey; act: (doing: Doing) => void }) {
  return (
    <RowActions>
      {key.status === "active" && (
        <RowAction does="Rotate" label={`Rotate ${key.name}`} onClick={() => act({ what: "rotate", key })}>
          <IconRotate />
        </RowAction>
      )}
      <RowAction does="Revoke" label={`Revoke ${key.name}`} onClick={() => act({ what: "revoke", key })}>
        <IconTrash />
      </RowAction>
    </RowActions>
  );
}
