import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);
const SHRINKS = /\.(js|css|svg|json)$/;

/** Beside each file that shrinks by it, put it once more as brotli and as gzip, so that serving it costs nothing. */
export function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    async writeBundle({ dir }) {
      const folder = join(dir ?? ".", "assets");
      const names = (await readdir(folder)).filter((name) => SHRINKS.test(name));
      await Promise.all(names.map((name) => compress(join(folder, name))));
    },
  };
}

async function compress(path: string): Promise<void> {
  const plain = await readFile(path);
  const best = {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
  };
  const made = [
    [".br", await brotli(plain, best)],
    [".gz", await zip(plain, { level: 9 })],
  ] as const;
  for (const [ending, bytes] of made) if (bytes.length < plain.length) await writeFile(path + ending, bytes);
}
