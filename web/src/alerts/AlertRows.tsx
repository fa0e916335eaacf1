import { Link } from "@tanstack/react-router";
import type { ComponentType } from "react";
import type { AnyAlert, Whose } from "@/api/alerts";
import type { Alert } from "@/api/types";
import { Tag } from "@/shared/badges";
import { IconChart, IconMeter, IconModels, IconPlan, IconWarning } from "@/shared/icons";
import { useNow } from "@/shared/now";
import { TimeAgo } from "@/shared/TimeAgo";
import styles from "./alerts.module.css";
import { together } from "./together";
import { told } from "./words";

type Look = { Icon: ComponentType; tone?: "warn" | "bad" };

const LOOKS: Record<Alert["kind"], Look> = {
  "limit.threshold": { Icon: IconMeter, tone: "warn" },
  "limit.reached": { Icon: IconWarning, tone: "bad" },
  "plan.changed": { Icon: IconPlan },
  "plan.expiring": { Icon: IconPlan, tone: "warn" },
  "plan.expired": { Icon: IconPlan, tone: "bad" },
  "request.unpriced": { Icon: IconModels },
  "spend.unusual": { Icon: IconChart, tone: "warn" },
};

interface AlertRowsProps {
  whose: Whose;
  alerts: AnyAlert[];
  isNew: (alert: AnyAlert) => boolean;
}

/** Alerts, one a row, but those of one limit that came at once in one; on a phone what stands beside one stands below it. */
export function AlertRows({ whose, alerts, isNew }: AlertRowsProps) {
  const now = useNow();
  return (
    <ul className={styles.rows} aria-label="Alerts">
      {together(alerts).map((one) => {
        const { alert } = one;
        const { Icon, tone } = LOOKS[alert.kind];
        const { title, rest } = told(one, whose, now);
        return (
          <li key={alert.id} className={styles.row}>
            <span className={styles.icon} data-tone={tone}>
              <Icon />
            </span>
            <div className={styles.words}>
              <p className={styles.title}>
                {title} {isNew(alert) && <Tag tone="accent">New</Tag>}
              </p>
              <p className={styles.soft}>{rest}</p>
            </div>
            <div className={styles.side}>
              {whose === "all" && <OfWhom alert={alert} />}
              <TimeAgo at={alert.createdAt} />
            </div>
          </li>
        );
      })}
    </ul>
  );
}

function OfWhom({ alert: { userId = "", email } }: { alert: AnyAlert }) {
  return (
    <Link className={styles.user} to="/admin/users/$user" params={{ user: userId }}>
      {email ?? userId}
    </Link>
  );
}
