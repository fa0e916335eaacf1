import { useLocalStorage } from "@mantine/hooks";

export type TextForm = "markdown" | "text";

/** How one reads what people and models wrote: as Markdown, or as the text that it is. This browser remembers it. */
export function useTextForm(): [TextForm, (form: TextForm) => void] {
  const [kept, keep] = useLocalStorage<string>({
    key: "tollkeeper.texts",
    defaultValue: "markdown",
    getInitialValueInEffect: false,
    serialize: (form) => form,
    deserialize: (form) => form ?? "markdown",
  });
  return [kept === "text" ? "text" : "markdown", keep];
}
