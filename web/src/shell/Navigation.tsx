import { Link } from "@tanstack/react-router";
import type { ComponentType } from "react";
import { useUnseenAlerts } from "@/api/alerts";
import type { Account } from "@/api/types";
import { OPERATORS, OWN, PLACES } from "@/places";
import {
  IconActivity,
  IconAlerts,
  IconGlobe,
  IconInvitations,
  IconKey,
  IconModels,
  IconOverview,
  IconPlan,
  IconRequests,
  IconSessions,
  IconSettings,
  IconSystem,
  IconUsers,
  IconVariables,
  IconWebhooks,
} from "@/shared/icons";
import { AccountMenu } from "./AccountMenu";
import styles from "./Shell.module.css";

const ICONS: Record<(typeof OWN | typeof OPERATORS)[number], ComponentType> = {
  "/": IconOverview,
  "/requests": IconRequests,
  "/sessions": IconSessions,
  "/plan": IconPlan,
  "/alerts": IconAlerts,
  "/variables": IconVariables,
  "/settings": IconSettings,
  "/admin": IconGlobe,
  "/admin/users": IconUsers,
  "/admin/invitations": IconInvitations,
  "/admin/plans": IconPlan,
  "/admin/models": IconModels,
  "/admin/keys": IconKey,
  "/admin/alerts": IconAlerts,
  "/admin/webhooks": IconWebhooks,
  "/admin/activity": IconActivity,
  "/admin/system": IconSystem,
};

interface NavigationProps {
  account: Account | undefined;
  onChosen: () => void;
}

/** Where one can go. */
export function Navigation({ account, onChosen }: NavigationProps) {
  const isOperator = account?.role === "admin";
  const unseen = useUnseenAlerts();
  return (
    <div className="frame-navigation">
      <nav aria-label="Main">
        <Places
          title={isOperator ? "Your account" : undefined}
          places={OWN}
          unseen={unseen}
          onChosen={onChosen}
        />
        {isOperator && <Places title="Operator" places={OPERATORS} onChosen={onChosen} />}
      </nav>
      {account !== undefined && <AccountMenu account={account} />}
    </div>
  );
}

interface PlacesProps {
  title: string | undefined;
  places: readonly (keyof typeof ICONS)[];
  /** How many alerts are. */
  unseen?: number;
  onChosen: () => void;
}

function Places({ title, places, unseen = 0, onChosen }: PlacesProps) {
  return (
    <>
      {title !== undefined && <p className="frame-group">{title}</p>}
      <ul className="frame-places">
        {places.map((to) => {
          const Icon = ICONS[to];
          const hasCount = to === "/alerts" && unseen > 0;
          return (
            <li key={to}>
              <Link
                to={to}
                activeOptions={{ exact: to === "/" || to === "/admin", includeSearch: false }}
                onClick={onChosen}
              >
                <Icon />
                {PLACES[to].title}
                {hasCount && (
                  <span className={styles.count}>
                    {unseen < 100 ? unseen : "99+"}
                    <span className="visually-hidden"> unseen</span>
                  </span>
                )}
              </Link>
            </li>
          );
        })}
      </ul>
    </>
  );
}
