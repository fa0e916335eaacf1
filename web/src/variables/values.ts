import type { Variable, VariableType } from "@/api/types";

export const TYPES: { value: VariableType; label: string }[] = [
  { value: "string", label: "Text" },
  { value: "number", label: "Number" },
  { value: "boolean", label: "Yes or no" },
  { value: "json", label: "JSON" },
  { value: "secret", label: "Secret" },
];

export const typeName = (type: VariableType): string =>
  TYPES.find(({ value }) => value === type)?.label ?? type;

/** A text that does not say what its type asks for. */
export class Misread extends Error {}

/** A value as one types it. */
export function textOf({ value, type }: Pick<Variable, "value" | "type">): string {
  return type === "json" ? JSON.stringify(value) : String(value);
}

/** What a typed text means; `Misread` says what is wrong with it. */
export function readAs(text: string, type: VariableType): unknown {
  switch (type) {
    case "number": {
      const number = Number(text);
      if (text.trim() === "" || !Number.isFinite(number)) throw new Misread("This is no number.");
      return number;
    }
    case "boolean":
      if (text !== "true" && text !== "false") throw new Misread('Say "true" or "false".');
      return text === "true";
    case "json":
      try {
        return JSON.parse(text);
      } catch {
        throw new Misread("This is no JSON.");
      }
    default:
      return text;
  }
}
