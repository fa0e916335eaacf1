import { useNow } from "./now";
import { exactTime, fromNow } from "./times";

/** An instant as one thinks of it; the exact one, and of which zone, on hover. */
export function TimeAgo({ at }: { at: string }) {
  // The clock ticks seldom, and what has happened since is not ahead.
  const now = Math.max(useNow(), Math.min(Date.parse(at), Date.now()));
  return (
    <time dateTime={at} title={exactTime(at)}>
      {fromNow(at, now)}
    </time>
  );
}
