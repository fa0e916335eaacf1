import type { UsersAsked } from "@/api/admin";

const NAMES = ["q", "plan", "isActive", "sort", "order"] as const;

/** What of an address the list of users understands. */
export function asked(search: Record<string, unknown>): UsersAsked {
  const told = NAMES.flatMap((name) => {
    const value = search[name];
    return typeof value === "string" && value !== "" ? [[name, value] as const] : [];
  });
  return Object.fromEntries(told);
}

/** Which request of a user is open, and how many days are looked at. */
export function looked(search: Record<string, unknown>): { open?: string; days?: string } {
  return {
    ...(typeof search.open === "string" ? { open: search.open } : {}),
    ...(typeof search.days === "string" ? { days: search.days } : {}),
  };
}
