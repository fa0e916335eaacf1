import type { AlertsAsked } from "@/api/alerts";
import type { Alert } from "@/api/types";

type Kind = Alert["kind"];

/** What can be told, in the order in which one looks for it. */
export const KINDS: Record<Kind, string> = {
  "limit.threshold": "Limit near",
  "limit.reached": "Limit reached",
  "plan.changed": "Plan changed",
  "plan.expiring": "Plan about to end",
  "plan.expired": "Plan ended",
  "request.unpriced": "Model without a price",
  "spend.unusual": "Unusual spend",
};

/** What of an address a list of alerts understands. */
export const alertsAsked = ({ kind }: Record<string, unknown>): AlertsAsked => (isKind(kind) ? { kind } : {});

export const isKind = (name: unknown): name is Kind => typeof name === "string" && Object.hasOwn(KINDS, name);
