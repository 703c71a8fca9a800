// Bundles the workbench into ../static/web/built/ (served as any static file, never committed).
// Prints each file's size as a browser gets it, compressed.

import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = new URL(".", import.meta.url);
const out = new URL("../static/web/built/", here);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  absWorkingDir: fileURLToPath(here),
  entryPoints: { workbench: "main.tsx" },
  outdir: fileURLToPath(out),
  bundle: true,
  minify: true,
  sourcemap: "linked",
  format: "esm",
  target: ["chrome111", "firefox115", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
});
copyFileSync(
  new URL("node_modules/htmx.org/dist/htmx.min.js", here),
  new URL("htmx.min.js", out),
);
for (const name of readdirSync(out).sort()) {
  if (name.endsWith(".map")) continue;
  const bytes = gzipSync(readFileSync(new URL(name, out)), { level: 9 }).length;
  console.log(`  built ${name}: ${(bytes / 1000).toFixed(1)} kB gzip`);
}
