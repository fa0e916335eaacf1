/** Say it in JSON, which has no word for some numbers. */
export function inJson(what: unknown): string {
  return JSON.stringify(what, (name, value: unknown) => {
    if (typeof value === "number" && !Number.isFinite(value))
      throw new TypeError(`${name} is ${value}, which JSON cannot say`);
    return value;
  });
}
