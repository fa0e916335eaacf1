/** Tracks the chat requests of an app with tollkeeper: asks before, tells after, and loses nothing in between. */

export { type Settings, Tollkeeper } from "./client.js";
export { LimitReached, Refused, type Told, TollkeeperError, Unavailable } from "./errors.js";
export type { About, Answer, Outcome, TrackedRequest } from "./request.js";
