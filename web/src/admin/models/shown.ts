/** Which models are listed, by where their price comes from, and which one is open. */
export interface ModelsShown {
  price?: string;
  open?: string;
}

/** What of an address the page of models understands. */
export function modelsShown({ price, open }: Record<string, unknown>): ModelsShown {
  return {
    ...(price === "none" || price === "own" || price === "list" ? { price } : {}),
    ...(typeof open === "string" && open !== "" ? { open } : {}),
  };
}
