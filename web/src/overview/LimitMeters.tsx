import { Link } from "@tanstack/react-router";
import type { Limits } from "@/api/types";
import { compact, count, money } from "@/shared/format";
import { Bound, Meter, MeterOutline } from "@/shared/Meter";
import { Panel } from "@/shared/Panel";
import { planTitle } from "@/shared/planTitle";
import shared from "@/shared/shared.module.css";
import styles from "./overview.module.css";

/** What the plan allows, and what of it is used: one's own, or of a user at whom an operator looks. */
export function LimitMeters({ limits, userId }: { limits: Limits; userId?: string }) {
  const plan = `${planTitle(limits.planName)} plan`;
  const link =
    userId === undefined ? (
      <Link to="/plan" className={shared.soft}>
        {plan}
      </Link>
    ) : (
      <Link to="/admin/users/$user/plan" params={{ user: userId }} className={shared.soft}>
        {plan}
      </Link>
    );
  return (
    <Panel title="Limits" actions={link}>
      <div className={styles.limits}>
        <Meters limits={limits} />
      </div>
    </Panel>
  );
}

/** The meters alone. */
export function Meters({ limits }: { limits: Limits }) {
  const { daily, monthly } = limits.resetsAt;
  return (
    <>
      <Meter
        label="Requests today"
        used={limits.dailyUsed}
        limit={limits.dailyLimit ?? null}
        write={count}
        resetsAt={daily}
      />
      <Meter
        label="Requests this month"
        used={limits.monthlyUsed}
        limit={limits.monthlyLimit ?? null}
        write={count}
        resetsAt={monthly}
      />
      {limits.monthlyTokensLimit != null && (
        <Meter
          label="Tokens this month"
          used={limits.monthlyTokensUsed ?? 0}
          limit={limits.monthlyTokensLimit}
          write={compact}
          resetsAt={monthly}
        />
      )}
      {limits.monthlyCostLimit != null && (
        <Meter
          label="Money this month"
          used={limits.monthlyCostUsed ?? 0}
          limit={limits.monthlyCostLimit}
          write={money}
          resetsAt={monthly}
        />
      )}
      {limits.concurrentLimit != null && (
        <Meter
          label="Requests at once"
          used={limits.concurrentUsed ?? 0}
          limit={limits.concurrentLimit}
          write={count}
          note={(limits.concurrentUsed ?? 0) >= limits.concurrentLimit && " until one ends"}
        />
      )}
      {limits.perMinuteLimit != null && (
        <Bound label="Requests a minute" most={count(limits.perMinuteLimit)} />
      )}
    </>
  );
}

/** Stands in for the meters. */
export function MetersOutline() {
  return ["Requests today", "Requests this month"].map((label) => <MeterOutline key={label} label={label} />);
}

/** Stands in for all of it. */
export function LimitMetersSkeleton() {
  return (
    <Panel title="Limits">
      <div className={styles.limits}>
        <MetersOutline />
      </div>
    </Panel>
  );
}
