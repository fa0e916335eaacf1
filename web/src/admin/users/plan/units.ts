import type { Grant } from "@/api/types";
import { count, money } from "@/shared/format";

type Unit = Grant["unit"];

export const UNITS: { value: Unit; label: string }[] = [
  { value: "requests", label: "Requests" },
  { value: "tokens", label: "Tokens" },
  { value: "cost", label: "Money" },
];

/** So many of a unit, as a number alone: money is known by its sign. */
export const amountOf = (unit: Unit, amount: number): string =>
  unit === "cost" ? money(amount) : count(amount);

/** 1,000 requests */
export function unitsOfGrant({ unit, amount }: Pick<Grant, "unit" | "amount">): string {
  if (unit === "cost") return money(amount);
  return `${count(amount)} ${amount === 1 ? unit.slice(0, -1) : unit}`;
}
