/** JSON Merge Patch (RFC 7396): how a `change` event turns the dashboard that was into the one that is. */

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [name: string]: Json;
}

/**
 * Make of `target` what `patch` says, and leave `target` itself as it is.
 *
 * A member of null is taken away, objects are merged, and everything else (arrays too) is replaced. What has not
 * changed stays the same object, so that `===` tells a component whether it has to render.
 */
export function applyMergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) {
    return patch;
  }
  const made = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      made.delete(name);
    } else {
      made.set(name, applyMergePatch(made.get(name), value));
    }
  }
  // Unlike an assignment, this makes an own member even of a name like "__proto__".
  return Object.fromEntries(made);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
