import type { Prices } from "@/api/types";
import { money, NONE } from "@/shared/format";

export const KINDS = [
  { name: "input", label: "Input", about: "per million tokens" },
  { name: "output", label: "Output", about: "per million tokens" },
  { name: "cacheRead", label: "Read from the cache", about: "else as input" },
  { name: "cacheWrite", label: "Written to the cache", about: "else as input" },
  { name: "reasoning", label: "Reasoning", about: "else as output" },
  { name: "perRequest", label: "Each request", about: "besides its tokens" },
] as const satisfies readonly { name: keyof Prices; label: string; about: string }[];

/** A price as money; it comes in nano-dollars. */
export const priceText = (nanos: string | null | undefined): string =>
  nanos == null ? NONE : money(Number(nanos) / 1e7);

export const SOURCES = { list: "public list", own: "own price", none: "no price" } as const;
