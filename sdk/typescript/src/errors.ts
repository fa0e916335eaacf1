/** What a call may come to, other than a yes. */

/** A JSON object that the service sent. */
export type Told = Readonly<Record<string, unknown>>;

const OF_KEYS: ReadonlySet<string> = new Set(["not-signed-in", "not-allowed"]);

/** The base of all errors of this client. */
export class TollkeeperError extends Error {
  override name = "TollkeeperError";
}

/** The service could not be asked in time. Nothing is known to have happened; the same may be asked again. */
export class Unavailable extends TollkeeperError {
  override name = "Unavailable";
}

/** The service said no, and will say no again. `problem` is its whole answer (RFC 9457). */
export class Refused extends TollkeeperError {
  override name = "Refused";
  readonly status: number;
  readonly problem: Told;

  constructor(status: number, problem: Told) {
    super(`${problem["title"] ?? "Refused"}: ${problem["detail"] ?? status}`);
    this.status = status;
    this.problem = problem;
  }

  /** Which problem it is, such as `not-in-plan`. */
  get kind(): string {
    return String(this.problem["type"] ?? "").replace(/^.*\//, "");
  }

  /** Whether it is the key that is not taken, which another would mend. */
  get isOfKey(): boolean {
    return OF_KEYS.has(this.kind);
  }
}

/** A limit of the user's plan is reached: show them which, and when or with which plan they can go on. */
export class LimitReached extends Refused {
  override name = "LimitReached";

  /** Which limit, such as `daily` or `tokens`. */
  get limit(): string {
    return String(this.problem["limit"] ?? "");
  }

  /** When there is more of it, if time brings it. */
  get resetsAt(): Date | null {
    const at = this.problem["resetsAt"];
    return typeof at === "string" ? new Date(at) : null;
  }

  /** The next plan under which the request would have been admitted. */
  get upgradeTo(): string | null {
    const plan = this.problem["upgradeTo"];
    return typeof plan === "string" ? plan : null;
  }
}
