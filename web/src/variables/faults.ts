import type { Problem } from "@/api/call";
import type { NewVariable } from "@/api/variables";
import { LONGEST_NAME } from "./dotenv";

const OF_ONE = /^variables\[(\d+)\]\.?(.*)$/i;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** What is wrong with a name, before it is sent. Blanks around it are none of it. */
export function faultOfName(name: string): string | undefined {
  if (name.length > LONGEST_NAME)
    return `It is too long, with ${name.length} characters of at most ${LONGEST_NAME}.`;
  if (!NAME.test(name)) return "Use letters, digits, _, . and -, and begin with a letter or _.";
  return undefined;
}

/** What the service refuses of one of several variables, by the name of that one. */
export function faultOfOne(problem: Problem | null, told: NewVariable[]): string | undefined {
  for (const { field, message } of problem?.faults ?? []) {
    const [, place, part] = OF_ONE.exec(field) ?? [];
    const one = told[Number(place)];
    if (one !== undefined)
      return `${one.key}: ${part === "key" ? (faultOfName(one.key) ?? message) : `its ${part} ${message}`}.`;
  }
  return undefined;
}
