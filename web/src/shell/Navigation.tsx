import { Link } from "@tanstack/react-router";
import type { ComponentType } from "react";
import type { Account } from "@/api/types";
import {
  IconGlobe,
  IconModels,
  IconOverview,
  IconPlan,
  IconRequests,
  IconSessions,
  IconSettings,
  IconSystem,
  IconUsers,
  IconVariables,
} from "@/shared/icons";
import { AccountMenu } from "./AccountMenu";
import styles from "./Shell.module.css";

interface Place {
  to: string;
  label: string;
  Icon: ComponentType;
}

const OWN: Place[] = [
  { to: "/", label: "Overview", Icon: IconOverview },
  { to: "/requests", label: "Requests", Icon: IconRequests },
  { to: "/sessions", label: "Sessions", Icon: IconSessions },
  { to: "/plan", label: "Plan", Icon: IconPlan },
  { to: "/variables", label: "Variables", Icon: IconVariables },
  { to: "/settings", label: "Settings", Icon: IconSettings },
];
const OPERATORS: Place[] = [
  { to: "/admin", label: "All usage", Icon: IconGlobe },
  { to: "/admin/users", label: "Users", Icon: IconUsers },
  { to: "/admin/plans", label: "Plans", Icon: IconPlan },
  { to: "/admin/models", label: "Models", Icon: IconModels },
  { to: "/admin/system", label: "System", Icon: IconSystem },
];

interface NavigationProps {
  account: Account | undefined;
  onChosen: () => void;
}

/** Where one can go. */
export function Navigation({ account, onChosen }: NavigationProps) {
  const isOperator = account?.role === "admin";
  return (
    <div className={styles.navigation}>
      <nav aria-label="Main">
        <Places title={isOperator ? "Your account" : undefined} places={OWN} onChosen={onChosen} />
        {isOperator && <Places title="Operator" places={OPERATORS} onChosen={onChosen} />}
      </nav>
      {account !== undefined && <AccountMenu account={account} />}
    </div>
  );
}

interface PlacesProps {
  title: string | undefined;
  places: Place[];
  onChosen: () => void;
}

function Places({ title, places, onChosen }: PlacesProps) {
  return (
    <>
      {title !== undefined && <p className={styles.group}>{title}</p>}
      <ul className={styles.places}>
        {places.map(({ to, label, Icon }) => (
          <li key={to}>
            <Link
              to={to}
              activeOptions={{ exact: to === "/" || to === "/admin", includeSearch: false }}
              onClick={onChosen}
            >
              <Icon />
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </>
  );
}
