import { Link } from "@tanstack/react-router";
import type { Limits } from "@/api/types";
import { compact, count, money } from "@/shared/format";
import { Meter, MeterOutline } from "@/shared/Meter";
import { Panel } from "@/shared/Panel";
import shared from "@/shared/shared.module.css";
import styles from "./overview.module.css";

/** What the plan allows, and what of it is used. */
export function LimitMeters({ limits, isOwn = true }: { limits: Limits; isOwn?: boolean }) {
  const plan = isOwn && (
    <Link to="/plan" className={shared.soft}>
      {limits.planName} plan
    </Link>
  );
  return (
    <Panel title="Limits" actions={plan}>
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
