/** JSON whose numbers keep their digits: as JavaScript's own they are rounded beyond 15 of them. */

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

// TypeScript does not know of it yet, and neither do browsers of before 2025: there they are rounded.
const { rawJSON } = JSON as { rawJSON?: (text: string) => unknown };

const exactly: Reviver = (_, value, context) =>
  typeof value === "number" && context?.source !== undefined && rawJSON !== undefined
    ? rawJSON(context.source)
    : value;

/** Read an answer so that `JSON.stringify` writes its numbers as they came: they are not to be counted with. */
export async function exactAnswer<Answer>(answer: Blob): Promise<Answer> {
  return JSON.parse(await answer.text(), exactly) as Answer;
}
