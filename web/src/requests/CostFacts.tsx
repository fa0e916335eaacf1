import type { WholeRequest } from "@/api/types";
import { count, money, NONE } from "@/shared/format";
import styles from "./RequestDrawer.module.css";

const SOURCES: Record<string, string> = {
  computed: "Computed from the tokens and the prices at the start",
  reported: "As the app reported it",
};
const KINDS = [
  { label: "Input", tokens: "tokensInput", price: "input" },
  { label: "of it cached", tokens: "tokensCached", price: "cacheRead" },
  { label: "of it written to the cache", tokens: "tokensCacheWrite", price: "cacheWrite" },
  { label: "Output", tokens: "tokensOutput", price: "output" },
  { label: "of it reasoning", tokens: "tokensReasoning", price: "reasoning" },
] as const;

/** What is missing of what a cost is made of. */
function missing({ unitPrices, tokensUsed, model }: WholeRequest): string {
  if (model === null) return "no model was named, so it has no price";
  if (unitPrices === null) return "its model had no price";
  return tokensUsed === null
    ? "its tokens were not told"
    : "how many of its tokens came in and went out was not told";
}

/** Where a cost comes from, or why there is none. */
function sourceOf(request: WholeRequest): string {
  const { costSource } = request;
  if (costSource == null) return "";
  return costSource === "unpriced"
    ? `The cost is not known: ${missing(request)}. `
    : `${SOURCES[costSource] ?? costSource}. `;
}

/** What was used, at which price, and where the cost comes from. */
export function CostFacts({ request }: { request: WholeRequest }) {
  const prices = (request.unitPrices ?? {}) as Record<string, string | number>;
  const kinds = KINDS.filter(({ label, tokens }) => !label.startsWith("of") || request[tokens]);
  return (
    <section>
      <h3>Tokens and cost</h3>
      <table className={styles.costs}>
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col">Tokens</th>
            <th scope="col">Price per million</th>
          </tr>
        </thead>
        <tbody>
          {kinds.map(({ label, tokens, price }) => (
            <tr key={label} data-part={label.startsWith("of")}>
              <th scope="row">{label}</th>
              <td>{count(request[tokens])}</td>
              <td>{perMillion(prices[price])}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">Total</th>
            <td>{count(request.tokensUsed)}</td>
            <td>{money(request.cost)}</td>
          </tr>
        </tfoot>
      </table>
      <p className={styles.note}>
        {sourceOf(request)}
        {prices.perRequest !== undefined &&
          `Each request costs ${money(inCents(prices.perRequest))} besides. `}
        {prices.source !== undefined &&
          `Prices: ${prices.source === "own" ? "the operator's own" : "public list"}`}
        {prices.provider !== undefined && `, ${prices.provider}`}
        {prices.source !== undefined && ". "}
        {request.reportedCost != null &&
          request.costSource !== "reported" &&
          `The app reported ${money(request.reportedCost)}.`}
      </p>
    </section>
  );
}

/** Prices come in nano-dollars. */
const inCents = (nanos: string | number): number => Number(nanos) / 1e7;

const perMillion = (nanos: string | number | undefined): string =>
  nanos === undefined ? NONE : money(inCents(nanos));
