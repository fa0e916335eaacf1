import type { ActivityAsked } from "@/api/activity";

const NAMES = ["action", "from", "to", "user", "actor"] as const;

/** What the filters are called. */
export const LABELS: Record<(typeof NAMES)[number], string> = {
  action: "What was done",
  from: "From",
  to: "Up to",
  user: "Whose account",
  actor: "Who did it",
};

/** What of an address a list of acts understands. */
export function activityAsked(search: Record<string, unknown>): ActivityAsked {
  const told = NAMES.flatMap((name) => {
    const value = search[name];
    return typeof value === "string" && value !== "" ? [[name, value] as const] : [];
  });
  return Object.fromEntries(told);
}
