/**
 * What the handler never needs before the crashed process is released is not in its script: each megabyte there costs it two
 * milliseconds at start, and as many of memory. These modules, which it imports dynamically, are in scripts of their own,
 * with all that they need; what two scripts share is there twice, so nothing may depend on a class being the same in both.
 */
import { relative } from "node:path";
import type { Plugin } from "esbuild";
import { ROOT } from "./target.ts";
import { run } from "./tools.ts";

/** The modules that can be asked for, by the name of their script. */
export const SECOND_SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  "roles.cjs": [
    "src/cli/commands/cli.ts",
    "src/kube/http.ts",
    "src/cluster/registration/kube-registry.ts",
    "src/cluster/steps/event-recorder.ts",
    "src/cluster/steps/steps.ts",
  ],
  "cluster.cjs": [
    "src/cli/kubectl/cli.ts",
    "src/cli/kubectl/complete.ts",
    "src/roles/apiserver/apiserver.ts",
    "src/roles/gc/gc.ts",
    "src/roles/webhook/webhook.ts",
  ],
  "crash.cjs": ["src/crash/crash.ts"],
  "runtimes.cjs": ["src/node/identity/confirm.ts"], // for every container's dump, so it should be small
};

/** A second script's source: each of its modules runs when it is asked for. */
export const entryOf = (modules: readonly string[]): string =>
  modules.map((path) => `exports[${JSON.stringify(path)}] = () => require(${JSON.stringify(`./${path}`)});`).join("\n");

/** Scripts that a second script asks for in its turn; else it has all that it needs. */
const ASKED_BY: Readonly<Record<string, readonly string[]>> = { "roles.cjs": ["cluster.cjs"] };

/** In one script, what stands for the modules of the others. @param script  a second one; without it the first */
export const secondScripts = (script?: string): Plugin => ({
  name: "second-scripts",
  setup(build) {
    const asked = script === undefined ? Object.keys(SECOND_SCRIPTS) : (ASKED_BY[script] ?? []);
    const scripts = new Map(asked.flatMap((name) => SECOND_SCRIPTS[name]?.map((path) => [path, name] as const) ?? []));
    build.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, async ({ kind, path, resolveDir, pluginData }) => {
      if (kind !== "dynamic-import" || pluginData === "asked already") return undefined;
      const found = await build.resolve(path, { kind, resolveDir, pluginData: "asked already" });
      const module = relative(ROOT, found.path);
      return scripts.has(module) ? { path: module, namespace: "second-script" } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: "second-script" }, ({ path }) => ({
      contents: loader(path, scripts.get(path) ?? ""),
    }));
  },
});

/** A script is ASCII, so its bytes are its text. Without a code cache (another architecture's) it is compiled as it runs. */
const loader = (module: string, script: string): string => `
  const { getAssetKeys, getRawAsset } = require("node:sea");
  const { Script } = require("node:vm");
  const name = ${JSON.stringify(script)}, cache = ${JSON.stringify(cacheOf(script))};
  const cachedData = getAssetKeys().includes(cache) ? Buffer.from(getRawAsset(cache)) : undefined;
  const script = new Script(Buffer.from(getRawAsset(name)).latin1Slice(), { filename: name, cachedData });
  const scripts = {};
  script.runInThisContext()(require, { exports: scripts }, scripts, __filename, __dirname);
  module.exports = scripts[${JSON.stringify(module)}]();`;

export function cacheOf(script: string): string {
  return `${script}.cache`;
}

/** As a CommonJS module is wrapped. */
export const wrapped = (code: string): string =>
  `(function (require, module, exports, __filename, __dirname) {${code}\n})`;

/**
 * V8's code cache of the script in `file`, for this machine's architecture and this version of Node, written beside it. In
 * a process of its own, because V8's hash seed goes into it: the same input must give the same bytes.
 */
export function writeCodeCache(name: string, folder: string): void {
  const program = `const { readFileSync, writeFileSync } = require("node:fs");
    const { Script } = require("node:vm");
    const [name, cache] = process.argv.slice(1);
    writeFileSync(cache, new Script(readFileSync(name, "latin1"), { filename: name }).createCachedData());`;
  run(process.execPath, ["--random-seed=1", "-e", program, name, cacheOf(name)], { cwd: folder });
}
