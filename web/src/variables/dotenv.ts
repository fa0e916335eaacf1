import type { Variable } from "@/api/types";
import type { NewVariable } from "@/api/variables";
import { Misread, readAs } from "./values";

const NAME = /[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=/y;
const SINGLE = /[ \t]*'([^']*)'/y;
const DOUBLE = /[ \t]*"((?:[^"\\]|\\[\s\S])*)"/y;
const PLAIN = /[^\r\n]*/y;
const EMPTY = /[ \t]*(?:#[^\r\n]*)?(?:\r?\n|$)/y;
const NEEDS_QUOTES = /[\s#"'\\$`]|^$/;
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t" };

export interface Entry {
  key: string;
  text: string;
  line: number;
}

/** Write variables as a `.env` file. */
export function asDotenv(variables: Pick<Variable, "key" | "type" | "text">[]): string {
  return variables.map((each) => `${each.key}=${quoted(each.text)}\n`).join("");
}

/** Read a `.env` file; `Misread` names the line that is none. What is quoted may go over several lines. */
export function fromDotenv(file: string): Entry[] {
  const entries: Entry[] = [];
  let place = 0;
  const next = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = place;
    const found = pattern.exec(file);
    if (found !== null) place = pattern.lastIndex;
    return found;
  };
  while (place < file.length) {
    if (next(EMPTY) !== null) continue;
    const line = file.slice(0, place).split("\n").length;
    const key = next(NAME)?.[1];
    if (key === undefined) throw new Misread(`Line ${line} is not KEY=value.`);
    const text = next(SINGLE)?.[1] ?? unescaped(next(DOUBLE)?.[1]);
    if (text === undefined) {
      const plain = (next(PLAIN)?.[0] ?? "").replace(/\s#.*/, "").trim();
      if (/^["']/.test(plain)) throw new Misread(`Line ${line}: the quotes do not close.`);
      entries.push({ key, text: plain, line });
    } else {
      if (next(EMPTY) === null && place < file.length)
        throw new Misread(`Line ${line}: something stands behind the closing quote.`);
      entries.push({ key, text, line });
    }
  }
  return entries;
}

export const LONGEST_NAME = 128;
const MOST = 200;

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
    if (key.length > LONGEST_NAME)
      throw new Misread(
        `Line ${line}: the name is too long, with ${key.length} characters of at most ${LONGEST_NAME}.`,
      );
    const old = before.get(key);
    if (old !== undefined && old.text === text) continue;
    changes.put.push({ key, value: readValue(text, old, line) });
    (old === undefined ? changes.created : changes.changed).push(key);
  }
  const all = known.length + changes.created.length;
  if (changes.created.length > 0 && all > MOST)
    throw new Misread(`That would be ${all} variables, and there can be ${MOST}.`);
  if (isAll) changes.deleted = known.map(({ key }) => key).filter((key) => !seen.has(key));
  return changes;
}

/** Which of some changes others have made something of, too, since the text was opened. */
export function alsoChanged(
  { changed, created, deleted }: Changes,
  opened: Variable[],
  now: Variable[],
): string[] {
  const before = new Map(opened.map((variable) => [variable.key, variable]));
  const after = new Map(now.map((variable) => [variable.key, variable]));
  const isSame = (key: string) => {
    const [old, by] = [before.get(key), after.get(key)];
    return old?.text === by?.text && old?.type === by?.type;
  };
  // What both take away is gone, as both wanted.
  return [
    ...[...created, ...changed].filter((key) => !isSame(key)),
    ...deleted.filter((key) => after.has(key) && !isSame(key)),
  ];
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

function unescaped(text: string | undefined): string | undefined {
  return text?.replace(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
}
