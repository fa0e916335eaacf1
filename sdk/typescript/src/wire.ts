/** Calls over HTTP. */

import type { Told } from "./errors.js";
import type { Call, Reply } from "./flows.js";
import { inJson } from "./json.js";

const LONGEST_ADVICE_S = 60;

/** Make calls to the service at `url`, for whom `key` is. */
export function calls(url: string, key: string, timeoutMs: number): Call {
  const base = url.replace(/\/+$/, "");
  const always = new Headers({
    Authorization: `Bearer ${key}`,
    "Content-Type": "application/json",
    "User-Agent": "tollkeeper-client-node/0.1.0",
  });
  return async ({ method, path, body, user, ms = timeoutMs }) => {
    const headers = new Headers(always);
    if (user !== null) headers.set("Tollkeeper-User", inUtf8(user));
    const said = inJson(body);
    try {
      const signal = AbortSignal.timeout(Math.ceil(Math.min(ms, timeoutMs)));
      return await heard(
        await fetch(base + path, { method, headers, body: said, redirect: "manual", signal }),
      );
    } catch {
      return null;
    }
  };
}

/** A header is made of bytes, which `fetch` takes as characters. */
function inUtf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

async function heard(response: Response): Promise<Reply> {
  const text = await response.text();
  const advice = response.headers.get("Retry-After") ?? "";
  const retryAfterMs = /^\d+$/.test(advice) ? 1_000 * Math.min(Number(advice), LONGEST_ADVICE_S) : 0;
  return { status: response.status, body: objectIn(text), retryAfterMs };
}

function objectIn(text: string): Told | null {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && !Array.isArray(body) ? (body as Told) : null;
  } catch {
    return null;
  }
}
