import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  notFound,
} from "@tanstack/react-router";
import { activityAsked } from "./activity/asked";
import { modelsShown } from "./admin/models/shown";
import { allUsageShown } from "./admin/overview/shown";
import { asked, looked } from "./admin/users/asked";
import { alertsAsked } from "./alerts/asked";
import { early, isNoOperator } from "./early";
import { narrowed } from "./requests/narrowed";
import { sessionsShown } from "./sessions/shown";
import { marked, unmarked } from "./shared/segment";
import { ForOperatorsPage } from "./shell/ForOperatorsPage";
import { NotFoundPage } from "./shell/NotFoundPage";
import { PageError } from "./shell/PageError";
import { Shell } from "./shell/Shell";
import { usageShown } from "./usage/shown";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFoundPage });

/** Around the pages of operators: for somebody who is none, nothing is asked and none of them comes. */
const operators = createRoute({
  getParentRoute: () => root,
  id: "operators",
  beforeLoad: () => {
    if (isNoOperator()) throw notFound({ routeId: "/operators" });
  },
  notFoundComponent: ForOperatorsPage,
});

/** A page in a file of its own, which comes when it is wanted. */
const page = <File extends Record<string, unknown>, Name extends keyof File>(
  load: () => Promise<File>,
  name: Name,
) => lazyRouteComponent<File, Name>(() => load().catch(notLoaded), name);

// In words of our own: at the browser's the library reloads at once, and where the service is away nothing would be left.
function notLoaded(error: Error): never {
  throw new Error(`the page did not come: ${error.message}`, { cause: error });
}

// What an address says besides is in "search" too, so whoever reads one takes what it understands.
const at = <Path extends string>(path: Path) => ({ getParentRoute: () => root, path });
const operatorsAt = <Path extends string>(path: Path) => ({ getParentRoute: () => operators, path });

const OWN = [
  createRoute({
    ...at("/"),
    component: page(() => import("./overview/OverviewPage"), "OverviewPage"),
    validateSearch: usageShown,
    loaderDeps: ({ search: { days } }) => ({ days }),
    loader: ({ deps }) => early.overview(deps),
  }),
  createRoute({
    ...at("/requests"),
    component: page(() => import("./requests/RequestsPage"), "RequestsPage"),
    validateSearch: narrowed,
    loaderDeps: ({ search }) => narrowed(search),
    loader: ({ deps }) => early.requests(deps),
  }),
  createRoute({
    ...at("/sessions"),
    component: page(() => import("./sessions/SessionsPage"), "SessionsPage"),
    validateSearch: sessionsShown,
    loaderDeps: ({ search }) => sessionsShown(search),
    loader: ({ deps: { order = "desc" } }) => early.sessions(order),
  }),
  createRoute({
    ...at("/sessions/$session"),
    params: {
      parse: ({ session }) => ({ session: unmarked(session) }),
      stringify: ({ session }) => ({ session: marked(session) }),
    },
    component: page(() => import("./sessions/SessionPage"), "SessionPage"),
    loader: ({ params }) => early.session(params.session),
  }),
  createRoute({
    ...at("/plan"),
    component: page(() => import("./plan/PlanPage"), "PlanPage"),
    loader: early.plan,
  }),
  createRoute({
    ...at("/alerts"),
    component: page(() => import("./alerts/AlertsPage"), "AlertsPage"),
    validateSearch: alertsAsked,
    loaderDeps: ({ search }) => alertsAsked(search),
    loader: ({ deps }) => early.alerts("own", deps),
  }),
  createRoute({
    ...at("/variables"),
    component: page(() => import("./variables/VariablesPage"), "VariablesPage"),
  }),
  createRoute({
    ...at("/settings"),
    component: page(() => import("./settings/SettingsPage"), "SettingsPage"),
  }),
  createRoute({
    ...at("/settings/security"),
    component: page(() => import("./security/SecurityPage"), "SecurityPage"),
    loader: early.security,
  }),
  createRoute({
    ...at("/settings/keys"),
    component: page(() => import("./keys/KeysPage"), "KeysPage"),
    loader: () => early.keys("own"),
  }),
  createRoute({
    ...at("/settings/activity"),
    component: page(() => import("./activity/ActivityPage"), "ActivityPage"),
    validateSearch: activityAsked,
    loaderDeps: ({ search }) => activityAsked(search),
    loader: ({ deps }) => early.activity("own", deps),
  }),
  createRoute({
    ...at("/settings/data"),
    component: page(() => import("./leaving/DataPage"), "DataPage"),
  }),
] as const;

const OPERATORS = [
  createRoute({
    ...operatorsAt("/admin"),
    component: page(() => import("./admin/overview/AdminOverviewPage"), "AdminOverviewPage"),
    validateSearch: allUsageShown,
    loaderDeps: ({ search: { days } }) => ({ days }),
    loader: ({ deps }) => early.allUsage(deps),
  }),
  createRoute({
    ...operatorsAt("/admin/users"),
    component: page(() => import("./admin/users/UsersPage"), "UsersPage"),
    validateSearch: asked,
    loaderDeps: ({ search }) => asked(search),
    loader: ({ deps }) => early.users(deps),
  }),
  createRoute({
    ...operatorsAt("/admin/users/$user"),
    component: page(() => import("./admin/users/UserPage"), "UserPage"),
    validateSearch: looked,
  }),
  createRoute({
    ...operatorsAt("/admin/users/$user/plan"),
    component: page(() => import("./admin/users/UserPlanPage"), "UserPlanPage"),
  }),
  createRoute({
    ...operatorsAt("/admin/invitations"),
    component: lazyRouteComponent(() => import("./admin/invitations/InvitationsPage"), "InvitationsPage"),
    loader: early.invitations,
  }),
  createRoute({
    ...operatorsAt("/admin/plans"),
    component: page(() => import("./admin/plans/AdminPlansPage"), "AdminPlansPage"),
  }),
  createRoute({
    ...operatorsAt("/admin/models"),
    component: page(() => import("./admin/models/ModelsPage"), "ModelsPage"),
    validateSearch: modelsShown,
    loader: early.models,
  }),
  createRoute({
    ...operatorsAt("/admin/keys"),
    component: page(() => import("./admin/keys/ServiceKeysPage"), "ServiceKeysPage"),
    loader: () => early.keys("services"),
  }),
  createRoute({
    ...operatorsAt("/admin/alerts"),
    component: page(() => import("./admin/alerts/AllAlertsPage"), "AllAlertsPage"),
    validateSearch: alertsAsked,
    loaderDeps: ({ search }) => alertsAsked(search),
    loader: ({ deps }) => early.alerts("all", deps),
  }),
  createRoute({
    ...operatorsAt("/admin/webhooks"),
    component: page(() => import("./admin/webhooks/WebhooksPage"), "WebhooksPage"),
    loader: early.webhooks,
  }),
  createRoute({
    ...operatorsAt("/admin/webhooks/$webhook"),
    component: page(() => import("./admin/webhooks/WebhookPage"), "WebhookPage"),
  }),
  createRoute({
    ...operatorsAt("/admin/activity"),
    component: page(() => import("./admin/activity/AllActivityPage"), "AllActivityPage"),
    validateSearch: activityAsked,
    loaderDeps: ({ search }) => activityAsked(search),
    loader: ({ deps }) => early.activity("all", deps),
  }),
  createRoute({
    ...operatorsAt("/admin/system"),
    component: page(() => import("./admin/system/SystemPage"), "SystemPage"),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([...OWN, operators.addChildren(OPERATORS)]),
  defaultPreload: "intent",
  // What is asked for is kept, and kept fresh, by its own cache.
  defaultPreloadStaleTime: 0,
  defaultErrorComponent: PageError,
  scrollRestoration: true,
  // Plain names and values, as people write them, instead of JSON.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const kept = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
    const text = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
    return text && `?${text}`;
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
