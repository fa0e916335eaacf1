import type { Measures, Terms } from "./types";

export interface Overview {
  asOf: string;
  today: Measures;
  yesterday: Measures;
  activeUsers: { today: number; week: number; month: number };
  users: { total: number; active: number; byPlan: Record<string, number> };
  live: {
    startsPerMinute: number;
    finishesPerMinute: number;
    pending: number;
    series: { at: string; starts: number; finishes: number }[];
  };
}

export interface DirectoryEntry {
  id: string;
  email: string | null;
  name: string | null;
  plan: string;
  planExpiresAt: string | null;
  isActive: boolean;
  role: "user" | "admin";
  timeZone: string;
  createdAt: string;
  lastActiveAt: string | null;
  requestsToday: number;
  requestsThisMonth: number;
  monthlyLimit: number | null;
  dailyLimit: number | null;
  totalRequests: number;
  totalTokensUsed: number;
  totalCost: number;
  note: string | null;
}

export interface UserChange {
  note?: string | null;
  isActive?: boolean;
  plan?: string;
  planExpiresAt?: string | null;
}

export type TermsWithUsers = Terms & { users: number };

/** Nano-dollars for each million tokens (perRequest: for each request), as texts. */
export interface Prices {
  input: string | null;
  output: string | null;
  cacheRead: string | null;
  cacheWrite: string | null;
  reasoning: string | null;
  perRequest: string | null;
}

export interface SeenModel {
  model: string;
  requests: number;
  tokensUsed: number;
  cost: number;
  unpriced: number;
  lastSeenAt: string | null;
  priceSource: "list" | "own" | "none";
  prices: Prices | null;
  tiered: boolean;
  provider: string | null;
}

export interface OwnPrice {
  model: string;
  effectiveFrom: string;
  prices: Prices;
}

/** In dollars for each million tokens, as texts. */
export interface NewPrice {
  effectiveFrom?: string;
  input: string;
  output: string;
  cacheRead?: string;
  cacheWrite?: string;
  reasoning?: string;
  perRequest?: string;
}

export interface Repriced {
  applied: boolean;
  requests: number;
  changed: number;
  unpricedBefore: number;
  unpricedAfter: number;
  costBefore: number;
  costAfter: number;
}

export interface Lane {
  waiting: number;
  sets: number;
  decided: number;
}

export interface System {
  version: string;
  startedAt: string | null;
  database: { version: string; sizeBytes: number; embedded: boolean; connections: number };
  tables: { name: string; sizeBytes: number; rows: number }[];
  partitions: { name: string; from: string | null; to: string | null; sizeBytes: number; rows: number }[];
  lanes: { starts: Lane; finishes: Lane };
  lastVerify: { at: string; ok: boolean; differences: number; seconds: number } | null;
  nodes: { id: string; host: string; version: string; startedAt: string; seenAt: string; pid: number }[];
  retention: {
    rowsDays: number | null;
    textDays: number | null;
    rowsFrom: string | null;
    textsFrom: string | null;
  };
}

export interface TopUser {
  user: { id: string; email: string | null; name: string | null; plan: string };
  totals: Measures;
}
