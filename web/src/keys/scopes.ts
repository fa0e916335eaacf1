import type { Whose } from "@/api/keys";
import type { Scope } from "@/api/types";

export interface ScopeToldOf {
  scope: Scope;
  label: string;
  about: string;
  /** Whether a new key has it if nothing is changed. */
  isUsual: boolean;
}

const TRACK = {
  scope: "track",
  label: "Track requests",
  about: "Begins and finishes requests, which count against the plan.",
  isUsual: true,
} as const;
const READ = {
  scope: "dashboard:read",
  label: "Read usage",
  about: "Reads requests, sessions, sums, the plan and the settings.",
  isUsual: true,
} as const;
const VARIABLES = [
  {
    scope: "variables:read",
    label: "Read variables",
    about: "Reads names and values; secrets stay masked.",
    isUsual: true,
  },
  {
    scope: "variables:write",
    label: "Change variables",
    about: "Creates, changes and deletes them.",
    isUsual: true,
  },
] as const;

const OWN: ScopeToldOf[] = [
  TRACK,
  READ,
  ...VARIABLES,
  {
    scope: "variables:reveal",
    label: "Reveal secrets",
    about: "Reads secret variables in plain text. Give it only to what cannot do without.",
    isUsual: false,
  },
];
const SERVICES: ScopeToldOf[] = [
  { ...TRACK, about: "Begins and finishes requests of any user, and adds users whom it names." },
  { ...READ, about: "Reads any user's requests, sessions, sums, plan and settings." },
  ...VARIABLES,
  {
    scope: "metrics",
    label: "Read metrics",
    about: "Reads the service's own measurements, for Prometheus.",
    isUsual: false,
  },
  {
    scope: "plans:write",
    label: "Change plans",
    about: "Tells that any user's plan changed, for what takes payments.",
    isUsual: false,
  },
];

/** What keys can be allowed to do, in words. */
export const scopesOf = (whose: Whose): ScopeToldOf[] => (whose === "own" ? OWN : SERVICES);

/** What scopes allow, shortly. */
export function scopeWords(scopes: readonly unknown[]): string {
  const labels = new Map([...OWN, ...SERVICES].map(({ scope, label }) => [scope as string, label]));
  return scopes.map((scope) => labels.get(String(scope)) ?? String(scope)).join(", ");
}
