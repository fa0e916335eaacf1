import type { FetchInfiniteQueryOptions, FetchQueryOptions } from "@tanstack/react-query";
import { accountOf, accountQuery, waysQuery } from "./api/account";
import { type ActivityAsked, type Whose as ActivityOf, activityQuery } from "./api/activity";
import { modelsQuery, overviewQuery, type UsersAsked, usersQuery } from "./api/admin";
import { type AlertsAsked, type Whose as AlertsOf, alertsQuery } from "./api/alerts";
import { analyticsQuery } from "./api/analytics";
import type { Problem } from "./api/call";
import { client } from "./api/client";
import { dashboardQuery } from "./api/dashboard";
import { invitationsQuery } from "./api/invitations";
import { type Whose as KeysOf, keysQuery } from "./api/keys";
import { loginsQuery } from "./api/logins";
import { passkeysQuery } from "./api/passkeys";
import { ownPlanQuery, plansQuery } from "./api/plans";
import { requestsQuery } from "./api/requests";
import { type Order, sessionQuery, sessionsQuery } from "./api/sessions";
import { settingsQuery } from "./api/settings";
import type { Account, AccountFound, Settings, WaysToSignIn } from "./api/types";
import { webhooksQuery } from "./api/webhooks";
import { filtersOf, type Narrowed } from "./requests/narrowed";
import { daysOf } from "./shared/period";
import { zone } from "./shared/times";
import { askedOf } from "./usage/asked";

type Known = AccountFound & { settings: Settings; ways: WaysToSignIn };

/** Take what the service has written into the page: who is signed in, their settings, and how one signs in. */
export function readKnown(): void {
  const told = document.getElementById("known")?.textContent;
  if (!told) return;
  const { settings, ways, ...found } = JSON.parse(told) as Known;
  client.setQueryData(accountQuery.queryKey, accountOf(found));
  client.setQueryData(settingsQuery.queryKey, settings);
  client.setQueryData(waysQuery.queryKey, ways);
}

/** What a page asks for, asked before it is drawn, and as soon as somebody points at a link to it. */
export const early = {
  overview: ({ days }: { days: string | undefined }) => {
    begin(dashboardQuery);
    const asked = askedOf(daysOf(days, client.getQueryData(settingsQuery.queryKey)), zone());
    begin(analyticsQuery("own", { ...asked, groupBy: "model" }));
    if (asked.granularity === "day") begin(analyticsQuery("own", { ...asked, groupBy: "category" }));
  },
  requests: (search: Narrowed) => beginPages(requestsQuery(filtersOf(search))),
  sessions: (order: Order) => beginPages(sessionsQuery(order)),
  session: (id: string) => beginPages(sessionQuery(id)),
  plan: () => {
    begin(ownPlanQuery);
    begin(plansQuery);
  },
  security: () => {
    begin(passkeysQuery);
    beginPages(loginsQuery);
  },
  keys: (whose: KeysOf) => beginPages(keysQuery(whose)),
  activity: (whose: ActivityOf, asked: ActivityAsked) => beginPages(activityQuery(whose, asked)),
  alerts: (whose: AlertsOf, asked: AlertsAsked) => beginPages(alertsQuery(whose, asked)),
  allUsage: ({ days }: { days: string | undefined }) => {
    begin(overviewQuery);
    const asked = askedOf(daysOf(days, client.getQueryData(settingsQuery.queryKey)), "UTC");
    begin(analyticsQuery("all", { ...asked, groupBy: "model" }));
    begin(analyticsQuery("all", { ...asked, groupBy: "plan" }));
  },
  users: (asked: UsersAsked) => beginPages(usersQuery(asked)),
  invitations: () => beginPages(invitationsQuery),
  models: () => begin(modelsQuery),
  webhooks: () => begin(webhooksQuery),
};

const account = (): Account | undefined => client.getQueryData(accountQuery.queryKey);

/** Whether it is known that who is signed in is none. */
export const isNoOperator = (): boolean => account() !== undefined && account()?.role !== "admin";

// Nobody waits for it here, and what fails is told by the page that asks again.
function begin<Content, Shown, Key extends readonly unknown[]>(
  query: FetchQueryOptions<Content, Problem, Shown, Key>,
): void {
  void client.prefetchQuery(query);
}

function beginPages<Content, Shown, Key extends readonly unknown[], Position>(
  query: FetchInfiniteQueryOptions<Content, Problem, Shown, Key, Position>,
): void {
  void client.prefetchInfiniteQuery(query);
}
