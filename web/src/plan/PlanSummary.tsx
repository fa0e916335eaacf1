import type { ReactNode } from "react";
import type { OwnPlan } from "@/api/types";
import { Meters, MetersOutline } from "@/overview/LimitMeters";
import { hasException } from "@/overview/reached";
import { counted } from "@/shared/format";
import { planTitle } from "@/shared/planTitle";
import styles from "./plan.module.css";
import { priceOf, textsOf } from "./terms";

interface PlanSummaryProps {
  of: OwnPlan;
  title: string;
  /** Since when, until when, and what can be done about it. */
  children: ReactNode;
}

/** The plan that somebody has, and what of it is used. */
export function PlanSummary({ of, title, children }: PlanSummaryProps) {
  const { plan, limits, maxTokensPerRequest: tokens } = of;
  return (
    <div className={styles.own}>
      <div>
        <p className={styles.soft}>{title}</p>
        <p className={styles.name}>{planTitle(plan.name)}</p>
        <p>{plan.isTrial ? "On trial" : priceOf(plan)}</p>
        {children}
        {tokens != null && <p className={styles.soft}>Up to {counted(tokens, "token")} a request</p>}
        <p className={styles.texts}>{textsOf(plan)}</p>
        {hasException(of) && (
          <p className={styles.texts}>
            An exception of whoever runs this service holds: not all limits are the plan's.
          </p>
        )}
      </div>
      <div className={styles.meters}>
        <Meters limits={limits} />
      </div>
    </div>
  );
}

/** Stands in for it. */
export function SummaryOutline({ title }: { title: string }) {
  return (
    <div className={styles.own}>
      <div>
        <p className={styles.soft}>{title}</p>
        <p className={styles.name}>&nbsp;</p>
        <p>&nbsp;</p>
        <p className={styles.soft}>&nbsp;</p>
        <p className={styles.texts}>
          &nbsp;
          <br />
          &nbsp;
        </p>
      </div>
      <div className={styles.meters}>
        <MetersOutline />
      </div>
    </div>
  );
}
