import { Link } from "@tanstack/react-router";
import type { SeenModel } from "@/api/types";
import { Tag } from "@/shared/badges";
import { compact, costOf, count, NONE } from "@/shared/format";
import table from "@/shared/Table.module.css";
import { TimeAgo } from "@/shared/TimeAgo";
import { nameOf } from "@/usage/measure";
import styles from "./models.module.css";
import { priceText, SOURCES } from "./prices";

/** Models, the most used first. */
export function ModelsTable({ models }: { models: SeenModel[] }) {
  return (
    <div className={table.wrap}>
      <table className={table.table}>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">Priced by</th>
            <th scope="col" data-number>
              In / out per million
            </th>
            <th scope="col" data-number>
              Requests
            </th>
            <th scope="col" data-number>
              Unpriced
            </th>
            <th scope="col" data-number>
              Tokens
            </th>
            <th scope="col" data-number>
              Cost
            </th>
            <th scope="col" data-number>
              Last seen
            </th>
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <Row key={model.model} model={model} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ model }: { model: SeenModel }) {
  const { priceSource, prices, provider } = model;
  return (
    <tr>
      <td data-wide>
        <Link
          className={table.whole}
          to="."
          search={((before: object) => ({ ...before, open: model.model })) as never}
          resetScroll={false}
        >
          {nameOf(model.model)}
          {provider != null && <span className={styles.soft}> {provider}</span>}
        </Link>
      </td>
      <td>
        <Tag
          {...(priceSource === "none" ? { tone: "warn" } : priceSource === "own" ? { tone: "accent" } : {})}
        >
          {SOURCES[priceSource]}
        </Tag>
      </td>
      <td data-number data-none={prices === null || undefined}>
        {prices === null ? NONE : `${priceText(prices.input)} / ${priceText(prices.output)}`}
      </td>
      <td data-number data-unit="requests">
        {count(model.requests)}
      </td>
      <td
        data-number
        data-unit="unpriced"
        data-soft={model.unpriced === 0 || undefined}
        data-none={model.unpriced === 0 || undefined}
      >
        {count(model.unpriced)}
      </td>
      <td data-number data-unit="tokens">
        {compact(model.tokensUsed)}
      </td>
      <td data-number>{costOf(model.cost, model.unpriced)}</td>
      <td data-number data-soft>
        {model.lastSeenAt == null ? NONE : <TimeAgo at={model.lastSeenAt} />}
      </td>
    </tr>
  );
}
