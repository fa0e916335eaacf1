import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compressed } from "./build/compressed.ts";
import { firstLoad } from "./build/firstLoad.ts";
import { pages } from "./build/pages.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [react(), firstLoad(), pages(), compressed()],
  resolve: { alias: { "@": at("./src") } },
  // The service puts a fresh one in its place with every answer.
  html: { cspNonce: "__NONCE__" },
  build: {
    outDir: at("../src/tollkeeper/web"),
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 800,
    // Chromium, Firefox and Safari all know it by now.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // What every page needs comes as one file: two dozen small ones wait for each other's turn.
        codeSplitting: {
          groups: [
            {
              name: "libraries",
              test: /node_modules\/(react|react-dom|scheduler|@tanstack|@mantine\/(core|hooks)|@floating-ui)\//,
            },
            {
              name: "parts",
              test: /\/src\/(shared|usage\/(?!Bars|Lines|charts)|overview\/(?!OverviewPage)|requests\/RequestsTable)/,
            },
          ],
        },
      },
    },
  },
  // For `npx vite` beside `make demo`: what is not built comes from there.
  server: { proxy: { "/api": "http://localhost:8080" } },
});
