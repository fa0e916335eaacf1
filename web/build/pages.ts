import type { Plugin, Rolldown } from "vite";
import { OPERATORS, OWN, PLACES, type Place } from "../src/places.ts";

type Bundle = Rolldown.OutputBundle;

/** Write down for the service what it puts into each page before any script runs: titles, links, and what is loaded. */
export function pages(): Plugin {
  return {
    name: "pages",
    apply: "build",
    generateBundle: {
      // The styles of chunks are known once Vite itself is through.
      order: "post",
      handler(_, bundle) {
        const told = {
          navigation: { user: [list(OWN)], admin: [list(OWN), list(OPERATORS)] },
          pages: Object.fromEntries(
            Object.entries<Place>(PLACES).map(([path, { title, about = "", file }]) => [
              path,
              { title, about, ...filesOf(file, bundle) },
            ]),
          ),
        };
        this.emitFile({ type: "asset", fileName: "pages.json", source: JSON.stringify(told) });
      },
    },
  };
}

const list = (paths: readonly (keyof typeof PLACES)[]): string =>
  paths.map((path) => `<li><a href="${path}"><i></i>${PLACES[path].title}</a></li>`).join("");

/** What a page needs beyond what every page does. */
function filesOf(file: string, bundle: Bundle): { scripts: string[]; styles: string[] } {
  const chunks = Object.values(bundle).filter((each) => each.type === "chunk");
  const entry = chunks.find(({ isEntry }) => isEntry);
  const page = chunks.find(({ facadeModuleId }) => facadeModuleId?.endsWith(`/src/${file}`));
  if (entry === undefined || page === undefined) throw new Error(`there is no chunk of ${file}`);
  const known = closure(entry.fileName, bundle);
  const wanted = [...closure(page.fileName, bundle)].filter((name) => !known.has(name));
  const styles = wanted.flatMap((name) => [...(stylesOf(bundle[name]) ?? [])]);
  return { scripts: wanted.map(address), styles: [...new Set(styles)].map(address) };
}

const address = (name: string): string => `/${name}`;

function closure(name: string, bundle: Bundle, seen = new Set<string>()): Set<string> {
  const chunk = bundle[name];
  if (chunk?.type !== "chunk" || seen.has(name)) return seen;
  seen.add(name);
  for (const each of chunk.imports) closure(each, bundle, seen);
  return seen;
}

/** Vite's own note on a chunk. */
function stylesOf(chunk: Bundle[string] | undefined): Set<string> | undefined {
  return (chunk as { viteMetadata?: { importedCss: Set<string> } } | undefined)?.viteMetadata?.importedCss;
}
