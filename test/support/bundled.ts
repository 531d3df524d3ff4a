/** The program in few files, for tests that start it often: as sources each start takes three times the processor time. */
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { leftOut } from "../../install/build/left-out.ts";
import { ROOT } from "./paths.ts";

const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { dependencies: object };
const PACKAGES = Object.keys(dependencies);
const CACHE = join(ROOT, ".cache");

/**
 * Bundles src/ unless that was done for the same sources, two folders below the checkout as src/system is: so it finds the
 * same files beside it. @returns its entry file
 */
export async function bundledProgram(): Promise<string> {
  const folder = join(CACHE, `program-${digestOf(["src/**/*.ts", "package-lock.json", "install/build/left-out.ts"])}`);
  if (existsSync(folder)) return join(folder, "main.js");
  for (const old of globSync("program-*", { cwd: CACHE })) rmSync(join(CACHE, old), { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: ["src/main.ts"],
    outdir: `${folder}.part`,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node26",
    plugins: [leftOut],
    external: PACKAGES.filter((name) => name !== "@kubernetes/client-node"), // of it only a part: the rest takes long to load
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    logLevel: "warning",
  });
  renameSync(`${folder}.part`, folder);
  return join(folder, "main.js");
}

function digestOf(patterns: string[]): string {
  const hash = createHash("sha256");
  for (const file of globSync(patterns, { cwd: ROOT }).sort()) hash.update(file).update(readFileSync(join(ROOT, file)));
  return hash.digest("hex").slice(0, 12);
}
