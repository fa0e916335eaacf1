// An app that serves its users whatever happens, until it is killed: `an_app.mjs URL KEY JOURNAL TOLD USER`.
//
// It writes the id of each request that has ended, once the client says so, as a line to `TOLD`.

import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Tollkeeper } from "../../sdk/typescript/dist/index.js";

const AT_ONCE = 8;
const [url, key, journal, told, user] = process.argv.slice(2);
const file = openSync(told, "a", 0o600);
const tollkeeper = new Tollkeeper(url, key, { journal, whenUnavailable: "open", patienceMs: 200, timeoutMs: 2_000 });

async function serve() {
  for (;;) {
    const id = await tollkeeper.track("four", { user }, async (request) => {
      await pause(5);
      await request.complete("yes", { tokensInput: 3, tokensOutput: 4 });
      return request.id;
    });
    writeSync(file, `${id}\n`);
  }
}

for (let each = 0; each < AT_ONCE; each += 1) void serve();
