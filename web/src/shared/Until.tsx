import { TimeAgo } from "./TimeAgo";
import { dateInUtc, exactTime, lastDayOf } from "./times";

/** Until when something lasts: through Dec 31, 2026, where it ends with a day; else when that is. */
export function Until({ at }: { at: string }) {
  const day = lastDayOf(at);
  if (day === undefined) return <TimeAgo at={at} />;
  return (
    <time dateTime={at} title={exactTime(at)}>
      through {dateInUtc(day)}
    </time>
  );
}

/** That it ends, and when. */
export function Ends({ at }: { at: string }) {
  return (
    <>
      {lastDayOf(at) === undefined ? "Ends" : "Lasts"} <Until at={at} />
    </>
  );
}
