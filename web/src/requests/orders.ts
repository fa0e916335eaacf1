/** In which order requests are listed: the newest come first unless it is told otherwise. */
export interface Ordered {
  sort?: "cost" | "tokensUsed" | "duration";
  order?: "asc";
}

export const ORDERS = [
  { value: "", label: "Newest first" },
  { value: "asc", label: "Oldest first" },
  { value: "cost", label: "Highest cost" },
  { value: "tokensUsed", label: "Most tokens" },
  { value: "duration", label: "Slowest" },
] as const;
type Order = (typeof ORDERS)[number]["value"];

const isFigure = (name: unknown): name is NonNullable<Ordered["sort"]> =>
  name === "cost" || name === "tokensUsed" || name === "duration";

/** What of an address the order is: one of those that can be chosen. */
export function ordered({ sort, order }: Record<string, unknown>): Ordered {
  if (isFigure(sort)) return { sort };
  return order === "asc" ? { order } : {};
}

/** Which of them is chosen, and what of the address changes with another. */
export const chosen = ({ sort, order }: Ordered): Order => sort ?? order ?? "";
export const changed = (order: string): Record<keyof Ordered, string> =>
  order === "asc" ? { sort: "", order } : { sort: order, order: "" };
