import { Link } from "@tanstack/react-router";
import type { Webhook } from "@/api/types";
import { count, counted } from "@/shared/format";
import badges from "@/shared/shared.module.css";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import styles from "./webhooks.module.css";
import { healthOf } from "./words";

/** Endpoints, one a row; each leads to what was sent to it. */
export function WebhooksTable({ webhooks }: { webhooks: Webhook[] }) {
  return <Table rows={webhooks} columns={COLUMNS} keyOf={({ id }) => id} />;
}

/** How it does. */
export function Health({ of: webhook }: { of: Webhook }) {
  const { tone, word, title } = healthOf(webhook);
  return (
    <span className={badges.badge} data-tone={tone} title={title}>
      {word}
    </span>
  );
}

const COLUMNS: Column<Webhook>[] = [
  {
    label: "Endpoint",
    kind: "wide",
    title: ({ url }) => url,
    of: ({ id, url, description }) => (
      <div className={styles.endpoint}>
        <Link to="/admin/webhooks/$webhook" params={{ webhook: id }}>
          {url}
        </Link>
        {description !== "" && <p>{description}</p>}
      </div>
    ),
  },
  { label: "Health", of: (webhook) => <Health of={webhook} /> },
  {
    label: "Told of",
    isSoft: true,
    title: ({ kinds }) => kinds.join(", ") || "everything",
    of: ({ kinds }) => (kinds.length === 0 ? "Everything" : counted(kinds.length, "kind")),
  },
  { label: "Waiting", kind: "number", unit: "waiting", of: ({ waiting }) => count(waiting) },
  { label: "Failed", kind: "number", unit: "failed", of: ({ failed }) => count(failed) },
  { label: "Added", isSoft: true, isExtra: true, of: ({ createdAt }) => <TimeAgo at={createdAt} /> },
];
