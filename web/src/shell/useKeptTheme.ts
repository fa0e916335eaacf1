import { useMantineColorScheme } from "@mantine/core";
import { useEffect } from "react";
import { useSettings } from "@/api/settings";

/** The theme that one chose in another browser holds in this one too. */
export function useKeptTheme(): void {
  const kept = useSettings().data?.theme;
  const { setColorScheme } = useMantineColorScheme();
  useEffect(() => {
    if (kept !== undefined) setColorScheme(kept);
  }, [kept, setColorScheme]);
}
