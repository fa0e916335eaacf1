/** A page: what it is called and about, and the file that shows it, below `src`. */
export interface Place {
  title: string;
  about?: string;
  file: string;
}

/** Every page of the app, by its path. The service writes titles into the page before any script runs. */
export const PLACES = {
  "/": {
    title: "Overview",
    about: "What is left, what was used, what for, and how well it went.",
    file: "overview/OverviewPage.tsx",
  },
  "/requests": {
    title: "Requests",
    about: "Every chat request that was tracked for you.",
    file: "requests/RequestsPage.tsx",
  },
  "/sessions": {
    title: "Sessions",
    about: "Conversations: requests that came with the same session id, by when they began.",
    file: "sessions/SessionsPage.tsx",
  },
  "/sessions/$session": { title: "", file: "sessions/SessionPage.tsx" },
  "/plan": {
    title: "Plan",
    about: "What you may use, what is left of it, and what the other plans allow.",
    file: "plan/PlanPage.tsx",
  },
  "/alerts": {
    title: "Alerts",
    about: "What you were told of your plan and limits, newest first. It is kept for 90 days.",
    file: "alerts/AlertsPage.tsx",
  },
  "/variables": {
    title: "Variables",
    about: "Names and values that your apps read. Secrets are encrypted.",
    file: "variables/VariablesPage.tsx",
  },
  "/settings": { title: "Settings", file: "settings/SettingsPage.tsx" },
  "/settings/security": { title: "Settings", file: "security/SecurityPage.tsx" },
  "/settings/keys": { title: "Settings", file: "keys/KeysPage.tsx" },
  "/settings/activity": { title: "Settings", file: "activity/ActivityPage.tsx" },
  "/settings/data": { title: "Settings", file: "leaving/DataPage.tsx" },
  "/admin": {
    title: "All usage",
    about: "What all users use, right now and over time. Days are days of UTC.",
    file: "admin/overview/AdminOverviewPage.tsx",
  },
  "/admin/users": {
    title: "Users",
    about: "Who uses your app, what they use, and what they may.",
    file: "admin/users/UsersPage.tsx",
  },
  "/admin/users/$user": { title: "", file: "admin/users/UserPage.tsx" },
  "/admin/users/$user/plan": { title: "", file: "admin/users/UserPlanPage.tsx" },
  "/admin/invitations": {
    title: "Invitations",
    about: "Who may sign up, and what came of it. What is over is gone after 30 days.",
    file: "admin/invitations/InvitationsPage.tsx",
  },
  "/admin/plans": {
    title: "Plans",
    about: "The catalogue as it is in force. Who has a plan keeps the terms of it that they agreed to.",
    file: "admin/plans/AdminPlansPage.tsx",
  },
  "/admin/models": {
    title: "Models",
    about:
      "What requests named, and what their tokens cost. What has no price is counted as such, never as free.",
    file: "admin/models/ModelsPage.tsx",
  },
  "/admin/keys": {
    title: "Service keys",
    about: "With them your app's backend acts for its users. Each request names its user.",
    file: "admin/keys/ServiceKeysPage.tsx",
  },
  "/admin/alerts": {
    title: "All alerts",
    about: "What users were told of their plans and limits, newest first. It is kept for 90 days.",
    file: "admin/alerts/AllAlertsPage.tsx",
  },
  "/admin/webhooks": {
    title: "Webhooks",
    about:
      "Where other systems are told of what happens to users and their plans, signed and until they answer.",
    file: "admin/webhooks/WebhooksPage.tsx",
  },
  "/admin/webhooks/$webhook": { title: "", file: "admin/webhooks/WebhookPage.tsx" },
  "/admin/activity": {
    title: "Activity",
    about: "Who did what, by and with all users. The log is only added to.",
    file: "admin/activity/AllActivityPage.tsx",
  },
  "/admin/system": {
    title: "System",
    about: "The service, its database, and what it keeps.",
    file: "admin/system/SystemPage.tsx",
  },
} as const satisfies Record<string, Place>;

/** Where the navigation leads: everybody, and operators besides. */
export const OWN = ["/", "/requests", "/sessions", "/plan", "/alerts", "/variables", "/settings"] as const;
export const OPERATORS = [
  "/admin",
  "/admin/users",
  "/admin/invitations",
  "/admin/plans",
  "/admin/models",
  "/admin/keys",
  "/admin/alerts",
  "/admin/webhooks",
  "/admin/activity",
  "/admin/system",
] as const;

/** What stands above a page. */
export function headOf(path: keyof typeof PLACES): { title: string; about?: string } {
  const { title, about }: Place = PLACES[path];
  return about === undefined ? { title } : { title, about };
}
