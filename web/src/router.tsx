import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { activityAsked } from "./activity/asked";
import { modelsShown } from "./admin/models/shown";
import { allUsageShown } from "./admin/overview/shown";
import { asked, looked } from "./admin/users/asked";
import { early } from "./early";
import { narrowed } from "./requests/narrowed";
import { sessionsShown } from "./sessions/shown";
import { marked, unmarked } from "./shared/segment";
import { NotFoundPage } from "./shell/NotFoundPage";
import { PageError } from "./shell/PageError";
import { Shell } from "./shell/Shell";
import { usageShown } from "./usage/shown";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFoundPage });
const at = <Path extends string>(path: Path) => ({ getParentRoute: () => root, path });

const routes = [
  createRoute({
    ...at("/"),
    component: lazyRouteComponent(() => import("./overview/OverviewPage"), "OverviewPage"),
    validateSearch: usageShown,
    loaderDeps: ({ search: { days } }) => ({ days }),
    loader: ({ deps }) => early.overview(deps),
  }),
  createRoute({
    ...at("/requests"),
    component: lazyRouteComponent(() => import("./requests/RequestsPage"), "RequestsPage"),
    validateSearch: narrowed,
    loaderDeps: ({ search }) => search,
    loader: ({ deps }) => early.requests(deps),
  }),
  createRoute({
    ...at("/sessions"),
    component: lazyRouteComponent(() => import("./sessions/SessionsPage"), "SessionsPage"),
    validateSearch: sessionsShown,
    loaderDeps: ({ search }) => search,
    loader: ({ deps: { order = "desc" } }) => early.sessions(order),
  }),
  createRoute({
    ...at("/sessions/$session"),
    params: {
      parse: ({ session }) => ({ session: unmarked(session) }),
      stringify: ({ session }) => ({ session: marked(session) }),
    },
    component: lazyRouteComponent(() => import("./sessions/SessionPage"), "SessionPage"),
    loader: ({ params }) => early.session(params.session),
  }),
  createRoute({
    ...at("/plan"),
    component: lazyRouteComponent(() => import("./plan/PlanPage"), "PlanPage"),
    loader: early.plan,
  }),
  createRoute({
    ...at("/variables"),
    component: lazyRouteComponent(() => import("./variables/VariablesPage"), "VariablesPage"),
  }),
  createRoute({
    ...at("/settings"),
    component: lazyRouteComponent(() => import("./settings/SettingsPage"), "SettingsPage"),
  }),
  createRoute({
    ...at("/settings/security"),
    component: lazyRouteComponent(() => import("./security/SecurityPage"), "SecurityPage"),
    loader: early.security,
  }),
  createRoute({
    ...at("/settings/keys"),
    component: lazyRouteComponent(() => import("./keys/KeysPage"), "KeysPage"),
    loader: () => early.keys("own"),
  }),
  createRoute({
    ...at("/settings/activity"),
    component: lazyRouteComponent(() => import("./activity/ActivityPage"), "ActivityPage"),
    validateSearch: activityAsked,
    loaderDeps: ({ search }) => search,
    loader: ({ deps }) => early.activity("own", deps),
  }),
  createRoute({
    ...at("/settings/data"),
    component: lazyRouteComponent(() => import("./leaving/DataPage"), "DataPage"),
  }),
  createRoute({
    ...at("/admin"),
    component: lazyRouteComponent(() => import("./admin/overview/AdminOverviewPage"), "AdminOverviewPage"),
    validateSearch: allUsageShown,
    loaderDeps: ({ search: { days } }) => ({ days }),
    loader: ({ deps }) => early.allUsage(deps),
  }),
  createRoute({
    ...at("/admin/users"),
    component: lazyRouteComponent(() => import("./admin/users/UsersPage"), "UsersPage"),
    validateSearch: asked,
    loaderDeps: ({ search }) => search,
    loader: ({ deps }) => early.users(deps),
  }),
  createRoute({
    ...at("/admin/users/$user"),
    component: lazyRouteComponent(() => import("./admin/users/UserPage"), "UserPage"),
    validateSearch: looked,
  }),
  createRoute({
    ...at("/admin/plans"),
    component: lazyRouteComponent(() => import("./admin/plans/AdminPlansPage"), "AdminPlansPage"),
  }),
  createRoute({
    ...at("/admin/models"),
    component: lazyRouteComponent(() => import("./admin/models/ModelsPage"), "ModelsPage"),
    validateSearch: modelsShown,
    loader: early.models,
  }),
  createRoute({
    ...at("/admin/keys"),
    component: lazyRouteComponent(() => import("./admin/keys/ServiceKeysPage"), "ServiceKeysPage"),
    loader: () => early.keys("services"),
  }),
  createRoute({
    ...at("/admin/activity"),
    component: lazyRouteComponent(() => import("./admin/activity/AllActivityPage"), "AllActivityPage"),
    validateSearch: activityAsked,
    loaderDeps: ({ search }) => search,
    loader: ({ deps }) => early.activity("all", deps),
  }),
  createRoute({
    ...at("/admin/system"),
    component: lazyRouteComponent(() => import("./admin/system/SystemPage"), "SystemPage"),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren(routes),
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
