import type { VariableType } from "@/api/types";

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

/** What a typed text means, numbers with all of their digits; `Misread` says what is wrong with it. */
export function readAs(text: string, type: VariableType): unknown {
  switch (type) {
    case "number":
      if (text.trim() === "" || Number.isNaN(Number(text))) throw new Misread("This is no number.");
      return text.trim();
    case "boolean":
      if (text !== "true" && text !== "false") throw new Misread('Say "true" or "false".');
      return text === "true";
    case "json":
      try {
        JSON.parse(text);
        return text;
      } catch {
        throw new Misread("This is no JSON.");
      }
    default:
      return text;
  }
}
