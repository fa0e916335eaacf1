import type { OptionsFilter } from "@mantine/core";

/** Zones that have another name by now: browsers list the old one, people type the new one, and some still the old one. */
const NOW = new Map([
  ["Africa/Asmera", "Africa/Asmara"],
  ["America/Godthab", "America/Nuuk"],
  ["Asia/Calcutta", "Asia/Kolkata"],
  ["Asia/Katmandu", "Asia/Kathmandu"],
  ["Asia/Rangoon", "Asia/Yangon"],
  ["Asia/Saigon", "Asia/Ho_Chi_Minh"],
  ["Atlantic/Faeroe", "Atlantic/Faroe"],
  ["Europe/Kiev", "Europe/Kyiv"],
]);
const BEFORE = new Map([...NOW].map(([old, now]) => [now, old]));

/** Every zone, by the name that it has now where this browser knows it by that. */
export const ZONES = [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone").map(nameNow)])];

function nameNow(zone: string): string {
  const now = NOW.get(zone);
  return now !== undefined && isKnown(now) ? now : zone;
}

function isKnown(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }).format() !== "";
  } catch {
    return false;
  }
}

/** Whether somebody may mean a zone by what they type: new york, kolkata, calcutta. */
export function isMeant(zone: string, typed: string): boolean {
  return [zone, NOW.get(zone), BEFORE.get(zone)].some(
    (name) => name !== undefined && words(name).includes(words(typed)),
  );
}

const words = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[\s_]+/g, " ")
    .trim();

export const meant: OptionsFilter = ({ options, search }) =>
  options.filter((option) => "value" in option && isMeant(String(option.value), search));
