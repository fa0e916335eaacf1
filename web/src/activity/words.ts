import type { AnyAct } from "@/api/activity";
import { scopeWords } from "@/keys/scopes";
import { counted, duration } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import { dateOf, lasting } from "@/shared/times";

type Detail = Record<string, unknown>;

interface Told {
  words: string;
  /** What more is known of it. */
  more?: (detail: Detail) => string;
  /** Done with the service rather than with somebody's account: only operators see it. */
  isOfService?: boolean;
}

const list = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : "");
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const WAYS: Record<string, string> = {
  email: "by e-mail",
  github: "by GitHub",
  link: "by a link of the operator",
  passkey: "by passkey",
  invitation: "by invitation",
};
const way = ({ by }: Detail): string => WAYS[text(by)] ?? text(by);

/** What can be done, in words, in the order in which one looks for it. */
const TOLD: Record<string, Told> = {
  "login.begun": { words: "Signed in", more: way },
  "login.ended": { words: "A browser signed out" },
  "logins.ended": { words: "All browsers signed out" },
  "link.made": { words: "Sign-in link made" },
  "user.signed_up": { words: "Account created", more: way },
  "github.connected": { words: "GitHub connected" },
  "github.disconnected": { words: "GitHub disconnected" },
  "passkey.added": { words: "Passkey added" },
  "passkey.renamed": { words: "Passkey renamed" },
  "passkey.removed": { words: "Passkey removed" },
  "passkey.refused": {
    words: "Passkey refused",
    more: () => "its signature was older than the last one: it may have been copied",
  },
  "key.created": {
    words: "API key created",
    more: ({ scopes }) => scopeWords(Array.isArray(scopes) ? scopes : []),
  },
  "key.rotated": {
    words: "API key rotated",
    more: ({ overlap_seconds: seconds }) =>
      Number(seconds) > 0
        ? `the old one works for ${duration(Number(seconds) * 1_000)} more`
        : "the old one ended",
  },
  "key.revoked": { words: "API key revoked" },
  "variables.put": { words: "Variables changed", more: ({ keys }) => list(keys) },
  "variable.revealed": { words: "Secret revealed", more: ({ key }) => text(key) },
  "variables.revealed": { words: "Secrets revealed", more: ({ keys }) => list(keys) },
  "variable.deleted": { words: "Variable deleted", more: ({ key }) => text(key) },
  "plan.set": {
    words: "Plan changed",
    more: ({ plan, expires_at: end }) =>
      `to ${planTitle(text(plan))}${text(end) && ` ${lasting(text(end), dateOf)}`}`,
  },
  "plan.changed": {
    words: "Plan changed",
    more: ({ plan, kind, at }) =>
      `${text(kind)} to ${planTitle(text(plan))}${text(at) && `, from ${dateOf(text(at))}`}`,
  },
  "plan.superseded": {
    words: "Older change of plan left out",
    more: ({ plan, occurred_at: at }) => `to ${planTitle(text(plan))}, of ${dateOf(text(at))}`,
  },
  "override.added": { words: "Limits overridden", more: ({ reason }) => text(reason) },
  "override.ended": { words: "Override ended", more: ({ reason }) => text(reason) },
  "grant.added": { words: "Units granted beyond the plan", more: ({ reason }) => text(reason) },
  "grant.ended": { words: "Grant ended", more: ({ reason }) => text(reason) },
  "user.changed": { words: "Account changed", more: changes },
  "user.added": { words: "Account added", more: ({ plan }) => `on the plan ${planTitle(text(plan))}` },
  "alerts.off": { words: "Mails about security switched off" },
  "account.exported": { words: "Everything downloaded" },
  "acting.begun": { words: "An operator began to act as the user" },
  "acting.ended": { words: "The operator stopped acting as the user" },
  "user.deleted": { words: "Account deleted" },
  "invitation.made": { words: "Invitation made", isOfService: true },
  "invitation.withdrawn": { words: "Invitation withdrawn", isOfService: true },
  "operator.first": { words: "First operator made", isOfService: true },
  "webhook.added": { words: "Webhook added", more: ({ host }) => text(host), isOfService: true },
  "webhook.changed": { words: "Webhook changed", more: ({ changed }) => list(changed), isOfService: true },
  "webhook.removed": { words: "Webhook removed", more: ({ host }) => text(host), isOfService: true },
  "webhook.rotated": { words: "Webhook's secret rotated", isOfService: true },
  "webhook.revealed": { words: "Webhook's secret revealed", isOfService: true },
  "webhook.tested": { words: "Webhook tested", isOfService: true },
  "webhook.replayed": { words: "Webhook deliveries replayed", isOfService: true },
  "webhook.disabled": {
    words: "Webhook switched off",
    more: ({ reason }) => (reason === "gone" ? "it answered 410" : "it failed for five days"),
  },
  "stripe.unmatched": {
    words: "Event of Stripe did nothing",
    more: ({ reason, about }) => `${text(reason).replace("-", " ")}: ${text(about)}`,
    isOfService: true,
  },
  "secrets.rotated": { words: "Master key rotated", isOfService: true },
  "secrets.resealed": { words: "Secrets sealed anew", isOfService: true },
  "plans.applied": {
    words: "Plans applied",
    more: (detail) => Object.keys(detail).map(planTitle).join(", "),
    isOfService: true,
  },
  "prices.set": { words: "Prices set", more: ({ models }) => list(models), isOfService: true },
  "prices.removed": { words: "Prices removed", more: ({ models }) => list(models), isOfService: true },
  "repricing.begun": { words: "Repricing begun", isOfService: true },
  "repricing.finished": { words: "Repricing finished", isOfService: true },
  "backup.restored": {
    words: "Backup restored",
    more: ({ taken_at }) => `of ${dateOf(text(taken_at))}`,
    isOfService: true,
  },
  "requests.pruned": {
    words: "Old requests deleted",
    more: ({ requests }) => counted(Number(requests), "request"),
    isOfService: true,
  },
  "texts.pruned": {
    words: "Old texts deleted",
    more: ({ requests }) => `of ${counted(Number(requests), "request")}`,
    isOfService: true,
  },
};

function changes(detail: Detail): string {
  const parts = [
    detail.name !== undefined && "the name",
    detail.image !== undefined && "the picture",
    detail.note !== undefined && "the operators' note",
    detail.time_zone !== undefined && `the time zone to ${text(detail.time_zone)}`,
    detail.role !== undefined && `the role to ${text(detail.role)}`,
    detail.is_active !== undefined && (detail.is_active ? "switched on" : "switched off"),
  ];
  return parts.filter(Boolean).join(", ");
}

/** What was done. An act of a newer version is told as it is noted. */
export const wordsOf = ({ action }: AnyAct): string => TOLD[action]?.words ?? action;

/** What more is known of it; empty if nothing. */
export const moreOf = ({ action, detail }: AnyAct): string => TOLD[action]?.more?.(detail as Detail) ?? "";

/** What a list can be narrowed to. */
export function choices(ofService: boolean): { value: string; label: string }[] {
  return Object.entries(TOLD)
    .filter(([, { isOfService }]) => ofService || !isOfService)
    .map(([value, { words }]) => ({ value, label: words }));
}
