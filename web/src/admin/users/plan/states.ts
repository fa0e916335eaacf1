import type { Grant, Override } from "@/api/types";

/** How an exception stands. */
export type State = "active" | "expired" | "ended" | "used up";

export const TONES: Record<State, string> = {
  active: "good",
  expired: "off",
  ended: "off",
  "used up": "off",
};

export const WORDS: Record<State, string> = {
  active: "Active",
  expired: "Expired",
  ended: "Ended",
  "used up": "Used up",
};

/** How an override stands: it holds until its own end, or until an operator ended it. */
export const stateOfOverride = ({ endsAt, endedAt }: Override, now: number): State =>
  over(endsAt, endedAt, now);

/** How a grant stands: it is burned, or left until its end. */
export const stateOfGrant = ({ amount, burned, expiresAt, endedAt }: Grant, now: number): State =>
  burned >= amount ? "used up" : over(expiresAt, endedAt, now);

function over(end: string | null, endedAt: string | null, now: number): State {
  const ends = end === null ? Number.POSITIVE_INFINITY : Date.parse(end);
  if (endedAt !== null && Date.parse(endedAt) < ends) return "ended";
  return ends <= now || endedAt !== null ? "expired" : "active";
}
