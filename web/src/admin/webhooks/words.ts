import type { Delivery, Webhook, WebhookKind } from "@/api/types";
import { exactTime } from "@/shared/times";

/** What there is to be told, in words. */
export const KINDS: Record<WebhookKind, string> = {
  "limit.threshold": "a limit is nearly used",
  "limit.reached": "a limit is reached",
  "plan.changed": "a plan changed",
  "plan.expiring": "a plan ends soon",
  "plan.expired": "a plan ended",
  "request.unpriced": "a model has no price",
  "spend.unusual": "a day costs far more than usual",
};

const OFF = { operator: "Switched off", gone: "Off: it answered 410", failing: "Off: failed for 5 days" };

/** How an endpoint does: a tone and a word. */
export function healthOf(webhook: Webhook): { tone: string; word: string; title?: string } {
  const { disabledFor, failingSince, restingUntil } = webhook;
  if (disabledFor !== null)
    return { tone: disabledFor === "operator" ? "off" : "bad", word: OFF[disabledFor] };
  if (failingSince !== null) {
    const rests = restingUntil === null ? "" : `, tried again at ${exactTime(restingUntil)}`;
    return { tone: "bad", word: "Failing", title: `Since ${exactTime(failingSince)}${rests}` };
  }
  if (restingUntil !== null)
    return { tone: "waiting", word: "Asked to wait", title: exactTime(restingUntil) };
  return { tone: "good", word: "Well" };
}

export const STATES: Record<Delivery["state"], { tone: string; word: string }> = {
  waiting: { tone: "waiting", word: "Waiting" },
  delivered: { tone: "good", word: "Delivered" },
  failed: { tone: "bad", word: "Failed" },
};

/** What came of a try. */
export const outcomeOf = ({ status, error }: { status: number | null; error: string | null }): string =>
  error ?? `Status ${status}`;
