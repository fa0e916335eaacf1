import { confirmation } from "./confirmation";
import { beginAnew, ending } from "./ending";

/** What the service says where it does not say yes (RFC 9457), or that it could not be reached: status 0. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly fields: Record<string, unknown> = {},
  ) {
    super(`${title}: ${detail}`);
  }

  /** Which kind of problem it is: the end of its address. */
  get slug(): string {
    return String(this.fields.type ?? "").replace(/^.*\//, "");
  }

  /** What is said of each faulty field. */
  get faults(): { field: string; message: string }[] {
    return (this.fields.errors as { field: string; message: string }[] | undefined) ?? [];
  }
}

interface Options {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
  /** Whether it ends the sign-in that this page was opened with. */
  isLast?: boolean;
}

// A wrong code is told where it was typed; everywhere else 401 is the end of the sign-in.
const SIGN_IN = "/api/sign-in";

/**
 * Call the service; anything but a yes is thrown as a `Problem`.
 *
 * What asks for a new sign-in is called once more after one has signed in anew; so is what came while that went on.
 */
export async function call<Answer>(path: string, options: Options = {}): Promise<Answer> {
  return (await (await yes(path, options)).json()) as Answer;
}

/** Get a file, in the same way. */
export async function fileAt(path: string, signal?: AbortSignal): Promise<Blob> {
  return (await yes(path, signal === undefined ? {} : { signal })).blob();
}

/** Call what ends the sign-in of this page, and go on elsewhere; until then nothing else is asked or heeded. */
export async function leaveBy(path: string, options: Options, place: string): Promise<void> {
  await call(path, { ...options, isLast: true });
  location.assign(place);
}

async function yes(path: string, options: Options): Promise<Response> {
  const answer = await answerOf(path, options);
  if (answer.ok) return answer;
  if (!options.isLast) await ending.isOff();
  const problem = await readProblem(answer);
  if (path.startsWith(SIGN_IN)) throw problem;
  const isAnew =
    (problem.slug === "sign-in-again" && (await confirmation.asked())) ||
    (answer.status === 401 && (await confirmation.underWay()));
  if (isAnew) {
    const again = await answerOf(path, options);
    if (again.ok) return again;
    throw await readProblem(again);
  }
  if (answer.status === 401) beginAnew();
  throw problem;
}

async function answerOf(path: string, options: Options): Promise<Response> {
  if (options.isLast) return ending.by(() => fetched(path, options));
  await ending.isOff();
  return fetched(path, options);
}

function fetched(path: string, { method = "GET", body, signal }: Options): Promise<Response> {
  return fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? null,
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new Problem(
      0,
      "The service cannot be reached",
      "Check your connection; this page tries again by itself.",
    );
  });
}

async function readProblem(answer: Response): Promise<Problem> {
  const told: unknown = await answer.json().catch(() => null);
  if (typeof told !== "object" || told === null)
    return new Problem(
      answer.status,
      "Something went wrong",
      `The service answered with status ${answer.status}.`,
    );
  const { title, detail, ...fields } = told as Record<string, unknown>;
  return new Problem(answer.status, String(title), sentence(String(detail)), fields);
}

/** The service tells clauses, people read sentences. */
function sentence(clause: string): string {
  const text = clause.charAt(0).toUpperCase() + clause.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Write a query string of what is not empty; itself empty if nothing is. */
export function query(asked: Record<string, string | number | boolean | null | undefined>): string {
  const kept = Object.entries(asked).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  const text = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}
