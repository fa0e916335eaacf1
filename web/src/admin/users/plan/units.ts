import type { Grant } from "@/api/types";
import { count, counted, money } from "@/shared/format";

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
  return unit === "cost" ? money(amount) : counted(amount, unit.slice(0, -1));
}
