import type { components } from "./schema.gen";

/** What the service hears and says, as it describes itself. */
type Shapes = components["schemas"];

export type AccountFound = Pick<Shapes["AccountFound"], "account" | "actingAs">;
/** Who is signed in; `actingAs` where it is an operator who comes as them. */
export type Account = AccountFound["account"] & Pick<AccountFound, "actingAs">;
export type Dashboard = Shapes["DashboardShown"];
export type Limits = Shapes["LimitsShown"];
export type ChatRequest = Shapes["RequestShown"];
/** A request with all that is kept of it, and its metadata as one reads them. */
export type WholeRequest = Shapes["RequestWhole"] & { metadataText: string | null };
export type RequestsFound = Shapes["RequestsFound"];
/** Where in a request the text stands that was looked for, and the words around it. */
export type Match = Shapes["MatchShown"];
export type ListedRequest = ChatRequest & { match?: Match };
export type RequestsPage = Shapes["RequestsPage"];
export type ChatSession = Shapes["SessionShown"];
export type SessionsPage = Shapes["SessionsPage"];
/** A variable, and its value as one types it. */
export type Variable = Omit<VariableShown, "value"> & { text: string };
export type VariableShown = Shapes["VariableShown"];
export type VariableType = Variable["type"];

/** What the rollups know of a period; null where they cannot tell. */
export type Measures = Shapes["MeasuresShown"];
export type Bucket = Shapes["BucketShown"];
export type Group = Shapes["GroupShown"];
export type Analytics = Shapes["AnalyticsAnswer"];
export type Granularity = Analytics["granularity"];
export type Dimension = NonNullable<Analytics["groupBy"]>;

/** A plan of the catalogue, and how it is bought. */
export type Offer = Shapes["OfferShown"];
/** What a plan allows; null is no limit. Money in cents. */
export type Terms = Omit<Offer, "checkoutCycles">;
export type OwnPlan = Shapes["OwnPlanAnswer"];
/** What to buy, and how. */
export type Purchase = Shapes["BuyPlan"];
/** What one wishes for: the present plan takes back what is arranged. */
export type PlanWish = Shapes["ChangePlan"];
export type PlanChanged = Shapes["ChangeAnswer"];
export type PlanChange = PlanChanged["change"];
/** A plan that a user had or has. */
export type PastTerms = Shapes["TermsShown"];
export type PlanHistoryPage = Shapes["HistoryPage"];
export type Settings = Shapes["SettingsShown"];
export type SettingsChange = Shapes["ChangeSettings"];

export type Alert = Shapes["AlertShown"];
export type AlertOfAll = Shapes["AlertOfAllShown"];
export type AlertsFound = Shapes["AlertsPage"];

export type Passkey = Shapes["PasskeyShown"];
export type CeremonyBegun = Shapes["CeremonyBegun"];
export type LoginSession = Shapes["LoginSessionShown"];
export type LoginSessionsPage = Shapes["LoginSessionsPage"];
export type WaysToSignIn = Shapes["WaysToSignIn"];
export type MailAsked = Shapes["MailAsked"];
export type Act = Shapes["ActShown"];
export type ActOfAll = Shapes["ActOfAllShown"];
export type ApiKey = Shapes["KeyShown"];
export type KeysPage = Shapes["KeysPage"];
/** `key` is told this once. */
export type KeyMade = Shapes["KeyMade"];
export type Scope =
  | NonNullable<Shapes["CreateKey"]["scopes"]>[number]
  | NonNullable<Shapes["CreateServiceKey"]["scopes"]>[number];
/** Own keys and those of services differ only in the scopes that there are. */
export type NewKey = Omit<Shapes["CreateKey"], "scopes"> & { scopes: Scope[] };

export type Invitation = Shapes["InvitationShown"];
export type InvitationsFound = Shapes["InvitationsFound"];
export type Invited = Shapes["Invited"];
export type NewInvitation = Shapes["Invite"];

export type Overview = Shapes["OverviewShown"];
export type TopUsers = Shapes["TopUsersAnswer"];
export type DirectoryEntry = Shapes["DirectoryEntry"];
export type DirectoryPage = Shapes["DirectoryPage"];
export type UserChange = Shapes["ChangeUser"];
export type TermsWithUsers = Shapes["PlanWithUsersShown"];
/** All of a plan; what is left out is as a file of plans takes it. */
export type NewPlan = Shapes["PutPlan"];
/** What became of the catalogue, or would. */
export type PlanPut = Shapes["PlanPut"];
export type FieldChange = Shapes["FieldChangeShown"];
export type Migrated = Shapes["Migrated"];
/** Units beyond a month's allowance; money in cents. */
export type Grant = Shapes["GrantShown"];
export type NewGrant = Shapes["AddGrant"];
/** Limits of one user in place of their plan's; null is no limit, what is left out is as in the plan. */
export type Override = Shapes["OverrideShown"];
export type NewOverride = Shapes["AddOverride"];
/** Nano-dollars for each million tokens (perRequest: for each request), as texts. */
export type Prices = Shapes["PricesShown"];
export type SeenModel = Shapes["ModelShown"];
export type OwnPrice = Shapes["OwnPriceShown"];
/** In dollars for each million tokens, as texts. */
export type NewPrice = Shapes["PutPrice"];
export type Repriced = Shapes["RepricedShown"];
export type System = Shapes["SystemShown"];

/** Where events are sent; no kinds: all. */
export type Webhook = Shapes["WebhookShown"];
export type WebhookKind = Webhook["kinds"][number];
export type NewWebhook = Shapes["AddWebhook"];
export type WebhookChange = Shapes["ChangeWebhook"];
export type WebhookMade = Shapes["WebhookMade"];
export type WebhookTested = Shapes["WebhookTested"];
export type Delivery = Shapes["DeliveryShown"];
export type DeliveriesPage = Shapes["DeliveriesPage"];
