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

  /** What is said of each faulty field. */
  get faults(): { field: string; message: string }[] {
    return (this.fields.errors as { field: string; message: string }[] | undefined) ?? [];
  }
}

interface Options {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
}

/** Call the service; anything but a yes is thrown as a `Problem`. */
export async function call<Answer>(
  path: string,
  { method = "GET", body, signal }: Options = {},
): Promise<Answer> {
  const answer = await fetch(path, {
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
  if (answer.ok) return (await answer.json()) as Answer;
  const problem = await readProblem(answer);
  if (answer.status === 401) location.reload();
  throw problem;
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
