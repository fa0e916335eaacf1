import type { Order } from "@/api/sessions";

/** In which order conversations are listed; the one begun last comes first unless it is told otherwise. */
export interface SessionsShown {
  order?: Order;
}

/** What of an address the page of conversations understands. */
export const sessionsShown = ({ order }: Record<string, unknown>): SessionsShown =>
  order === "asc" ? { order } : {};
