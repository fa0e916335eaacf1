import { useDocumentVisibility } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { type AnyAlert, useSeeAlerts } from "@/api/alerts";

/**
 * Which alerts are new to whoever looks at them; once they are shown, it is noted that they were seen.
 *
 * They stay new for as long as the page is open. What comes while nobody looks stays unseen.
 */
export function useNews(shown: AnyAlert[], mayNote: boolean): (alert: AnyAlert) => boolean {
  const { mutate: see } = useSeeAlerts();
  const isLookedAt = useDocumentVisibility() === "visible";
  const [news, setNews] = useState<ReadonlySet<string>>(new Set());
  const unseen = shown.flatMap(({ id, seenAt }) => (seenAt === null ? [id] : [])).join();
  useEffect(() => {
    if (unseen === "" || !mayNote || !isLookedAt) return;
    const [newest = "", ...others] = unseen.split(",");
    setNews((before) => new Set([...before, newest, ...others]));
    see(newest);
  }, [unseen, mayNote, isLookedAt, see]);
  return ({ id, seenAt }) => seenAt === null || news.has(id);
}
