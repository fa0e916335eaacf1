import type { ReactNode } from "react";
import type { Whose } from "@/api/alerts";
import type { Alert } from "@/api/types";
import { count, money, percent } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import { dateOf, dayOrDate, endOn, lasting, shortTime } from "@/shared/times";
import type { Together } from "./together";

/** An alert in words: what it is, and the rest. They are read later than mails, so they name days and do not say "now". */
export interface Told {
  title: ReactNode;
  rest: ReactNode;
}

interface Reader {
  isOwn: boolean;
  /** In milliseconds. */
  now: number;
  /** Lesser percentages of the same limit that were told at the same instant. */
  passed: number[];
}

/** What the database wrote down of a limit; `used` and `allowed` of `monthlyCost` in cents. */
interface OfLimit {
  limit: keyof typeof LIMITS;
  percent: number;
  plan: string;
  used: number;
  allowed: number;
  resetsAt: string;
}

interface OfChange {
  kind: string;
  from: string;
  to: string;
  at: string;
  expiresAt: string | null;
}

interface OfEnd {
  plan: string;
  nextPlan: string;
}

const LIMITS = {
  dailyRequests: { units: "daily requests", are: "are", window: "day" },
  monthlyRequests: { units: "monthly requests", are: "are", window: "month" },
  monthlyTokens: { units: "monthly tokens", are: "are", window: "month" },
  monthlyCost: { units: "monthly spend", are: "is", window: "month" },
};
const CHANGED = new Map([
  ["upgraded", "What was used stays used."],
  ["downgraded", "The larger one had ended, as was arranged."],
  ["cancelled", "The one before was cancelled, and had ended."],
  ["expired", "The one before had ended."],
  ["migrated", "It holds on the terms that were offered then; what was used stays used."],
]);

const TELLING: Record<Alert["kind"], (data: never, reader: Reader) => Told> = {
  "limit.threshold": near,
  "limit.reached": reached,
  "plan.changed": changed,
  "plan.expiring": expiring,
  "plan.expired": expired,
  "request.unpriced": unpriced,
  "spend.unusual": unusual,
};

/** Say an alert in words, to whom it is about or to operators. */
export function told({ alert: { kind, data }, passed }: Together, whose: Whose, now: number): Told {
  return TELLING[kind](data as never, { isOwn: whose === "own", now, passed });
}

function near(of: OfLimit, { isOwn, now, passed }: Reader): Told {
  const { units, are } = LIMITS[of.limit];
  const share = percent(of.percent / 100);
  return {
    title: `${share} of ${isOwn ? "your" : "the"} ${units} ${are} used`,
    rest: (
      <>
        {sumsOf(of, now)}
        {alsoOf(passed)}
      </>
    ),
  };
}

function reached(of: OfLimit, { isOwn, now, passed }: Reader): Told {
  const { units } = LIMITS[of.limit];
  return {
    title: isOwn ? `You have reached your limit: ${units}` : `Limit reached: ${units}`,
    rest: (
      <>
        {sumsOf(of, now)}
        {isAhead(of.resetsAt, now) && " Until then requests beyond it are refused."}
        {alsoOf(passed)}
      </>
    ),
  };
}

const inWords = new Intl.ListFormat("en");

function alsoOf(passed: number[]): string {
  if (passed.length === 0) return "";
  return ` ${inWords.format(passed.map((each) => percent(each / 100)))} ${passed.length === 1 ? "was" : "were"} passed at once.`;
}

function sumsOf({ limit, plan, used, allowed, resetsAt }: OfLimit, now: number): ReactNode {
  const write = limit === "monthlyCost" ? money : count;
  const ends = isAhead(resetsAt, now) ? "ends" : "ended";
  const window = `The ${LIMITS[limit].window} ${ends} ${endOn(resetsAt)}.`;
  return (
    <>
      {write(used)} of {write(allowed)} on the plan <bdi>{planTitle(plan)}</bdi>. {window}
    </>
  );
}

function changed({ kind, from, to, at, expiresAt }: OfChange, { isOwn }: Reader): Told {
  const plan = isOwn ? "Your plan" : "The plan";
  const title =
    from === to ? (
      <>
        {plan} <bdi>{planTitle(to)}</bdi> has new terms
      </>
    ) : (
      <>
        {plan} changed from <bdi>{planTitle(from)}</bdi> to <bdi>{planTitle(to)}</bdi>
      </>
    );
  const until = expiresAt === null ? "" : `, ${lasting(expiresAt, dateOf)}`;
  return { title, rest: `From ${shortTime(at)} on${until}. ${CHANGED.get(kind) ?? ""}`.trim() };
}

function expiring(
  { plan, nextPlan, expiresAt }: OfEnd & { expiresAt: string },
  { isOwn, now }: Reader,
): Told {
  const isYet = isAhead(expiresAt, now);
  const end = endOn(expiresAt);
  return {
    title: (
      <>
        {isOwn ? "Your" : "The"} plan <bdi>{planTitle(plan)}</bdi> {isYet ? "is" : "was"} about to end
      </>
    ),
    rest: isYet ? (
      <>
        It ends {end}, and <bdi>{planTitle(nextPlan)}</bdi> comes after it.
      </>
    ) : (
      `It was to end ${end}.`
    ),
  };
}

function expired({ plan, nextPlan, at }: OfEnd & { at: string }, { isOwn }: Reader): Told {
  return {
    title: (
      <>
        {isOwn ? "Your" : "The"} plan <bdi>{planTitle(plan)}</bdi> has ended
      </>
    ),
    rest: (
      <>
        It ended {endOn(at)}, and <bdi>{planTitle(nextPlan)}</bdi> came after it.
      </>
    ),
  };
}

function unpriced({ model }: { model: string | null }, { isOwn }: Reader): Told {
  return {
    title:
      model === null ? (
        "Requests without a model have no price"
      ) : (
        <>
          The model <bdi>{model}</bdi> has no price
        </>
      ),
    rest: `What ${model === null ? "they cost" : "its requests cost"} is missing in ${isOwn ? "your" : "the"} spend; ${model === null ? "they are" : "it is"} not free.`,
  };
}

function unusual(
  { day: on, cost, usual }: { day: string; cost: number; usual: number },
  { isOwn }: Reader,
): Told {
  const days = isOwn ? "On days on which you spend at all" : "On days with any spend";
  return {
    title: isOwn
      ? `You spent more than usual on ${dayOrDate(on)}`
      : `More than usual was spent on ${dayOrDate(on)}`,
    rest: `It was ${money(cost)} by then. ${days} it is about ${money(usual)}.`,
  };
}

const isAhead = (at: string, now: number): boolean => Date.parse(at) > now;
