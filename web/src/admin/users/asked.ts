import type { UsersAsked } from "@/api/admin";
import { type Narrowed, narrowed } from "@/requests/narrowed";
import { type UsageShown, usageShown } from "@/usage/shown";

const NAMES = ["q", "plan", "isActive", "sort", "order"] as const;

/** What of an address the list of users understands. */
export function asked(search: Record<string, unknown>): UsersAsked {
  const told = NAMES.flatMap((name) => {
    const value = search[name];
    return typeof value === "string" && value !== "" ? [[name, value] as const] : [];
  });
  return Object.fromEntries(told);
}

/** What a user's requests are narrowed to, which one is open, and how their usage is looked at. */
export function looked(search: Record<string, unknown>): Narrowed & UsageShown {
  return { ...narrowed(search), ...usageShown(search) };
}
