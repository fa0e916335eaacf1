import type { components } from "./schema.gen";

type Shapes = components["schemas"];

export type Dashboard = Shapes["DashboardShown"];
export type Limits = Shapes["LimitsShown"];
export type ChatRequest = Shapes["RequestShown"];
export type WholeRequest = Shapes["RequestWhole"];
export type ChatSession = Shapes["SessionShown"];
export type Variable = Shapes["VariableShown"];
export type VariableType = Variable["type"];
export type Account = Shapes["AccountShown"];

/** A part of a list, and what leads on. */
export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
  /** A search that looked through much stopped here, and goes on with `nextCursor`. */
  searchedTo?: string | null;
}

/** What the rollups know of a period; null where they cannot tell. */
export interface Measures {
  requests: number | null;
  completed: number | null;
  failed: number | null;
  successRate: number | null;
  tokensUsed: number | null;
  tokensInput: number | null;
  tokensOutput: number | null;
  tokensCached: number | null;
  tokensCacheWrite: number | null;
  tokensReasoning: number | null;
  cost: number | null;
  costNanos: number | null;
  unpriced: number | null;
  averageDuration: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
  averageRating: number | null;
  ratedRequests: number | null;
}

export interface Bucket extends Measures {
  start: string;
  end: string;
}

export interface Group {
  key: string;
  totals: Measures;
  before: Measures | null;
  buckets: {
    start: string;
    requests: number | null;
    failed: number | null;
    tokensUsed: number | null;
    cost: number | null;
  }[];
}

export type Granularity = "hour" | "day" | "week" | "month";
export type Dimension = "model" | "category" | "requestType" | "complexity" | "status" | "plan";

export interface Analytics {
  from: string;
  to: string;
  timeZone: string;
  granularity: Granularity;
  groupBy: Dimension | null;
  totals: Measures;
  before: Measures | null;
  buckets: Bucket[];
  groups: Group[];
  groupsLeftOut: number;
}

/** What a plan allows; null is no limit. Money in cents. */
export interface Terms {
  name: string;
  rank: number;
  dailyRequests: number | null;
  monthlyRequests: number | null;
  maxTokensPerRequest: number | null;
  monthlyTokens: number | null;
  monthlyCost: number | null;
  features: string[];
  pricePerMonth: number;
  billingCycle: string;
}

export interface OwnPlan {
  plan: Terms & { startsAt: string | null; expiresAt: string | null };
  limits: Limits;
}

export interface Settings {
  name: string | null;
  email: string;
  timeZone: string;
  nextTimeZone: string | null;
  theme: "light" | "dark" | "auto";
  daysShown: 7 | 14 | 30 | 90;
}
