import { exactTime, fromNow } from "./format";
import { useNow } from "./now";

/** An instant as one thinks of it; the exact one on hover. */
export function TimeAgo({ at }: { at: string }) {
  const now = Math.max(useNow(), Date.now() - 20_000);
  return (
    <time dateTime={at} title={exactTime(at)}>
      {fromNow(at, now)}
    </time>
  );
}
