/** How long a key lasts, and what may use it: as one chooses it, beside how the API has it. */

import { endOfDay } from "@/shared/times";

const DAY_MS = 24 * 3_600_000;

export const LIFETIMES = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "1 year" },
  { value: "date", label: "Until a date …" },
  { value: "none", label: "No end" },
];

/** When a key made now ends; null is never. */
export function endOf(lifetime: string, date: string): string | null {
  if (lifetime === "none") return null;
  if (lifetime !== "date") return new Date(Date.now() + Number(lifetime) * DAY_MS).toISOString();
  return endOfDay(date);
}

/** Addresses as they are typed: one a line, or with commas between them. */
export const addressesIn = (text: string): string[] => text.split(/[\s,;]+/).filter((each) => each !== "");

export const OVERLAPS = [
  { value: "0", label: "Not at all: it ends now" },
  { value: "3600", label: "1 hour" },
  { value: "86400", label: "1 day" },
  { value: "604800", label: "7 days" },
  { value: "2592000", label: "30 days" },
];
export const USUAL_OVERLAP = "86400";
