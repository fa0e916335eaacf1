import { Link } from "@tanstack/react-router";
import type { SeenModel } from "@/api/types";
import { Tag } from "@/shared/badges";
import { compact, costOf, count, isUnknown, NONE, plural, withoutPrice } from "@/shared/format";
import { useNow } from "@/shared/now";
import { type Column, Table } from "@/shared/Table";
import table from "@/shared/Table.module.css";
import { hourFromNow, wholeHour } from "@/shared/times";
import { nameOf } from "@/usage/measure";
import styles from "./models.module.css";
import { priceText, SOURCES } from "./prices";

/** Models, the most used first. */
export function ModelsTable({ models }: { models: SeenModel[] }) {
  return <Table rows={models} columns={COLUMNS} keyOf={({ model }) => model} />;
}

const COLUMNS: Column<SeenModel>[] = [
  {
    label: "Model",
    kind: "wide",
    title: ({ model }) => nameOf(model, "model"),
    of: (model) => <Name of={model} />,
  },
  { label: "Priced by", of: ({ priceSource }) => <Source of={priceSource} /> },
  {
    label: "In / out per million",
    kind: "number",
    isNone: ({ prices }) => prices === null,
    of: ({ prices }) => (prices === null ? NONE : `${priceText(prices.input)} / ${priceText(prices.output)}`),
  },
  {
    label: "Requests",
    kind: "number",
    unit: ({ requests }) => plural(requests, "request"),
    of: ({ requests }) => count(requests),
  },
  {
    label: "Unpriced",
    kind: "number",
    unit: "unpriced",
    isSoft: ({ unpriced }) => unpriced === 0,
    isNone: ({ unpriced }) => unpriced === 0,
    of: ({ unpriced }) => count(unpriced),
  },
  {
    label: "Tokens",
    kind: "number",
    unit: ({ tokensUsed }) => plural(tokensUsed, "token"),
    isExtra: true,
    title: ({ tokensUsed }) => count(tokensUsed),
    of: ({ tokensUsed }) => compact(tokensUsed),
  },
  {
    label: "Cost",
    kind: "number",
    isNone: ({ cost, unpriced }) => isUnknown(cost, unpriced),
    title: ({ unpriced }) => withoutPrice(unpriced),
    of: ({ cost, unpriced }) => costOf(cost, unpriced),
  },
  {
    label: "Last seen",
    kind: "number",
    isExtra: true,
    isSoft: true,
    of: ({ lastSeenAt }) => (lastSeenAt == null ? NONE : <HourAgo at={lastSeenAt} />),
  },
];

function Name({ of: { model, provider } }: { of: SeenModel }) {
  return (
    <Link
      className={table.whole}
      to="."
      search={((before: object) => ({ ...before, open: model })) as never}
      resetScroll={false}
    >
      {nameOf(model, "model")}
      {provider != null && <span className={styles.soft}> {provider}</span>}
    </Link>
  );
}

function Source({ of: source }: { of: SeenModel["priceSource"] }) {
  const tone = { none: "warn", own: "accent", list: undefined } as const;
  return <Tag {...(tone[source] === undefined ? {} : { tone: tone[source] })}>{SOURCES[source]}</Tag>;
}

/** It is known to the hour. */
function HourAgo({ at }: { at: string }) {
  return (
    <time dateTime={at} title={`Within the hour ${wholeHour(at)}`}>
      {hourFromNow(at, useNow())}
    </time>
  );
}
