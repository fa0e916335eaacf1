import type { Variable } from "@/api/types";
import type { NewVariable } from "@/api/variables";
import { Misread, readAs, textOf } from "./values";

const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)$/;
const NEEDS_QUOTES = /[\s#"'\\$`]|^$/;
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t" };

export interface Entry {
  key: string;
  text: string;
  line: number;
}

/** Write variables as a `.env` file. */
export function asDotenv(variables: Pick<Variable, "key" | "value" | "type">[]): string {
  return variables.map((each) => `${each.key}=${quoted(textOf(each))}\n`).join("");
}

/** Read a `.env` file; `Misread` names the line that is none. */
export function fromDotenv(file: string): Entry[] {
  return file.split(/\r?\n/).flatMap((text, place) => {
    if (/^\s*(#|$)/.test(text)) return [];
    const [, key, rest] = LINE.exec(text) ?? [];
    if (key === undefined || rest === undefined) throw new Misread(`Line ${place + 1} is not KEY=value.`);
    return [{ key, text: unquoted(rest.trim(), place + 1), line: place + 1 }];
  });
}

export interface Changes {
  put: NewVariable[];
  created: string[];
  changed: string[];
  deleted: string[];
}

/** What a text changes in what there is. Masked secrets stay; what it leaves out goes, if it is all there is. */
export function changesOf(file: string, known: Variable[], isAll: boolean): Changes {
  const entries = fromDotenv(file);
  const before = new Map(known.map((variable) => [variable.key, variable]));
  const changes: Changes = { put: [], created: [], changed: [], deleted: [] };
  const seen = new Set<string>();
  for (const { key, text, line } of entries) {
    if (seen.has(key)) throw new Misread(`Line ${line}: ${key} stands there twice.`);
    seen.add(key);
    const old = before.get(key);
    if (old !== undefined && textOf(old) === text) continue;
    changes.put.push({ key, value: readValue(text, old, line) });
    (old === undefined ? changes.created : changes.changed).push(key);
  }
  if (isAll) changes.deleted = known.map(({ key }) => key).filter((key) => !seen.has(key));
  return changes;
}

function readValue(text: string, old: Variable | undefined, line: number): unknown {
  try {
    return old === undefined ? text : readAs(text, old.type);
  } catch (error) {
    throw error instanceof Misread ? new Misread(`Line ${line}: ${error.message}`) : error;
  }
}

function quoted(text: string): string {
  if (!NEEDS_QUOTES.test(text)) return text;
  const escaped = text
    .replace(/[\\"]/g, "\\$&")
    .replace(/\n/g, "\\n")
    .replace(/\r/g, "\\r")
    .replace(/\t/g, "\\t");
  return `"${escaped}"`;
}

function unquoted(text: string, line: number): string {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") return text.replace(/\s+#.*$/, "");
  const inside = (quote === '"' ? /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/ : /^'([^']*)'\s*(?:#.*)?$/).exec(
    text,
  )?.[1];
  if (inside === undefined) throw new Misread(`Line ${line}: the quotes do not close.`);
  return quote === "'"
    ? inside
    : inside.replace(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
}
