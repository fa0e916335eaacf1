import type { ListedRequest, Match } from "@/api/types";
import { emptiness, isBlank } from "@/shared/visible";
import styles from "./requests.module.css";

// Where a match begins no later than that, it is seen in the first line, unless that is very short.
const SOON = 24;

interface LineProps {
  request: ListedRequest;
}

/** What a prompt begins with; if the text that was looked for is soon in it, with its mark. */
export function PromptLine({ request: { prompt, match } }: LineProps) {
  if (!prompt || isBlank(prompt))
    return <span data-soft>{prompt == null ? "No text kept" : emptiness(prompt)}</span>;
  if (match === undefined || !isSoon(prompt, match)) return <bdi>{prompt.trim()}</bdi>;
  const { before, found } = match;
  return (
    <bdi>
      {before.trimStart()}
      <mark className={styles.mark}>{found}</mark>
      {prompt.slice(before.length + found.length).trimEnd()}
    </bdi>
  );
}

/** Where the text that was looked for stands, with the words around it. */
export function MatchLine({ request: { prompt, response, match } }: LineProps) {
  if (match === undefined) return null;
  const { in: part, before, found, after } = match;
  const whole = (part === "prompt" ? prompt : response) ?? "";
  return (
    <p className={styles.match} data-soon={isSoon(prompt, match) || undefined}>
      {part === "response" && "In the response: "}
      <bdi>
        {whole.startsWith(before + found) ? before.trimStart() : `… ${before}`}
        <mark className={styles.mark}>{found}</mark>
        {whole.endsWith(found + after) ? after.trimEnd() : `${after} …`}
      </bdi>
    </p>
  );
}

const isSoon = (prompt: string | null, { in: part, before, found }: Match): boolean =>
  part === "prompt" && before.trimStart().length <= SOON && prompt?.startsWith(before + found) === true;
