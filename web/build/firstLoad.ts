import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const MOST_BYTES = 250_000;

/** Fail the build if what must be there before anything is seen has grown too large. */
export function firstLoad(): Plugin {
  return {
    name: "first-load",
    apply: "build",
    generateBundle(_, bundle) {
      const wanted = new Set<string>();
      const want = (name: string) => {
        const chunk = bundle[name];
        if (chunk?.type !== "chunk" || wanted.has(name)) return;
        wanted.add(name);
        chunk.imports.forEach(want);
      };
      for (const [name, chunk] of Object.entries(bundle))
        if (chunk.type === "chunk" && chunk.isEntry) want(name);
      const size = [...wanted].reduce((sum, name) => sum + zipped(bundle[name]), 0);
      const told = `first load: ${(size / 1000).toFixed(1)} KB of JavaScript, gzipped`;
      if (size > MOST_BYTES) this.error(`${told}; at most ${MOST_BYTES / 1000}: load something later`);
      this.info(told);
    },
  };
}

function zipped(chunk: { type: string; code?: string } | undefined): number {
  return chunk?.code === undefined ? 0 : gzipSync(chunk.code, { level: 9 }).length;
}
