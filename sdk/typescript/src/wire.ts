/** Calls over HTTP. */

import type { Told } from "./errors.js";
import type { Call, Reply } from "./flows.js";
import { inJson } from "./json.js";

const LONGEST_ADVICE_S = 60;
/** No timer runs longer. */
const LONGEST_MS = 2 ** 31 - 1;

/** Make calls to the service at `url`, for whom `key` is. Throws: nobody could; it would look as if it were away. */
export function calls(url: string | URL, key: string, timeoutMs: number): Call {
  const base = placeOf(url);
  const always = new Headers({
    Authorization: `Bearer ${wordOf(key)}`,
    "Content-Type": "application/json",
    "User-Agent": "tollkeeper-client-node/0.1.0",
  });
  return async ({ method, path, body, user, ms = timeoutMs }) => {
    const headers = new Headers(always);
    if (user !== null) headers.set("Tollkeeper-User", inUtf8(user));
    const said = inJson(body);
    const signal = AbortSignal.timeout(Math.min(Math.ceil(Math.min(ms, timeoutMs)), LONGEST_MS));
    try {
      return await heard(
        await fetch(base + path, { method, headers, body: said, redirect: "manual", signal }),
      );
    } catch {
      return null;
    }
  };
}

function placeOf(url: string | URL): string {
  const place = URL.canParse(url) ? new URL(url) : null;
  if (!place || !/^https?:$/.test(place.protocol) || place.href !== place.origin + place.pathname)
    throw new TypeError("the service is at http:// or https://, a host and maybe a path; nothing else");
  return place.href.replace(/\/+$/, "");
}

function wordOf(key: string): string {
  if (!/^[!-~]+$/.test(key.trim())) throw new TypeError("a key is one word of ASCII");
  return key.trim();
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
