import { SegmentedControl } from "@mantine/core";
import { type TextForm, useTextForm } from "./useTextForm";

const FORMS: { value: TextForm; label: string }[] = [
  { value: "markdown", label: "Markdown" },
  { value: "text", label: "Text" },
];

/** How all texts are shown. */
export function TextFormChoice() {
  const [form, setForm] = useTextForm();
  return (
    <SegmentedControl size="xs" aria-label="Show texts as" value={form} onChange={setForm} data={FORMS} />
  );
}
