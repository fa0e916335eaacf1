import { useMantineColorScheme } from "@mantine/core";
import { useEffect, useEffectEvent } from "react";
import { useSettings } from "@/api/settings";

/** The theme that one chose in another browser holds in this one too. */
export function useKeptTheme(): void {
  const kept = useSettings().data?.theme;
  const { setColorScheme } = useMantineColorScheme();
  // What sets it is another function with each scheme: whoever tries one before they save it is not to be set back.
  const show = useEffectEvent(setColorScheme);
  useEffect(() => {
    if (kept !== undefined) show(kept);
  }, [kept]);
}
