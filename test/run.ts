/** Runs the tests; `bin/test` is its entry and says what the parts are. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { problemOf } from "./support/command.ts";
import { leftSince, traces } from "./support/leftovers.ts";
import { ROOT, TESTBED_COMMAND } from "./support/paths.ts";
import { Report } from "./support/report.ts";

const report = new Report();
const stopping = new AbortController();
const [part = "all", ...only] = process.argv.slice(2);
const chosen = only.map((file) => resolve(file));
const isRoot = process.getuid?.() === 0;

const PARTS: Record<string, () => Promise<void>> = {
  ok: async () => {
    await Promise.all([types(), lint()]);
    await unit();
  },
  unit,
  node: () => endToEnd("node"),
  cluster: () => endToEnd("cluster"),
  all: async () => {
    await prepare("cluster"); // first: contract and unit tests use the real parts that are there
    for (const part of ["ok", "node", "cluster"]) await PARTS[part]?.();
  },
};

function types(): Promise<void> {
  return report.check("types", () => problemOf("bin/node", ["node_modules/typescript/bin/tsc"], stopping.signal));
}

function lint(): Promise<void> {
  const biome = ["node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings"];
  return report.check("lint", () => problemOf("bin/node", biome, stopping.signal));
}

async function unit(): Promise<void> {
  await runFiles(find("test/**/*.test.ts", ["test/e2e/**"]), { concurrency: true, timeoutMs: 120_000 });
}

/** Real crashes: one file at a time, for there is one core_pattern. */
async function endToEnd(folder: string): Promise<void> {
  const files = find(`test/e2e/${folder}/*.test.ts`);
  if (files.length === 0) return;
  await prepare(folder);
  if (!isRoot) return await runFiles(files, { concurrency: false, timeoutMs: 900_000 });
  await setUp("testbed reap", () => problemOf(TESTBED_COMMAND, ["reap"], stopping.signal));
  const before = traces();
  await runFiles(files, { concurrency: false, timeoutMs: 900_000 });
  if (stopping.signal.aborted) return;
  await report.check("nothing is left over", async () => (await leftSince(before)).join("\n") || undefined);
}

/** What is there already costs a moment. */
async function prepare(folder: string): Promise<void> {
  await setUp("bin/build", () => problemOf("bin/build", [], stopping.signal));
  const setup = folder === "cluster" ? ["setup", "cluster"] : ["setup"];
  if (isRoot) await setUp("testbed setup", () => problemOf(TESTBED_COMMAND, setup, stopping.signal));
}

/** Set-up counts only when it fails; the tests that needed it say so for themselves. */
async function setUp(name: string, work: () => Promise<string | undefined>): Promise<void> {
  if (stopping.signal.aborted) return;
  const problem = await work();
  if (problem !== undefined) await report.check(name, async () => problem);
}

function find(pattern: string, exclude: string[] = []): string[] {
  const files = globSync(pattern, { cwd: ROOT, exclude }).map((file) => join(ROOT, file));
  return files.filter((file) => chosen.length === 0 || chosen.includes(file)).sort();
}

async function runFiles(files: string[], how: { concurrency: boolean; timeoutMs: number }): Promise<void> {
  if (files.length === 0 || stopping.signal.aborted) return;
  const { concurrency, timeoutMs: timeout } = how;
  await report.follow(
    files,
    run({ files, concurrency, timeout, signal: stopping.signal, execArgv: ["--disable-warning=ExperimentalWarning"] }),
  );
}

/** A signal ends the tests at once; the test bed then stops what they had started outside of themselves. */
async function cleanUp(): Promise<void> {
  const children = (): string[] =>
    readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean);
  for (let tries = 0; children().length > 0 && tries < 100; tries++) await sleep(50);
  for (const child of children()) process.kill(Number(child), "SIGKILL");
  if (isRoot) await problemOf(TESTBED_COMMAND, ["reap"]);
}
for (const [signal, exitCode] of Object.entries({ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 })) {
  process.once(signal, () => {
    process.exitCode = exitCode;
    stopping.abort();
  });
}

const work = PARTS[part];
const missing = chosen.find((file) => !existsSync(file));
if (!work || missing) {
  console.error(
    missing
      ? `bin/test: no file ${missing}`
      : `bin/test: no part "${part}"; there are ${Object.keys(PARTS).join(", ")}`,
  );
  process.exit(2);
}
await work();
if (stopping.signal.aborted) {
  await cleanUp();
  console.error("bin/test: stopped by a signal");
} else {
  console.log(report.summary());
  process.exitCode = report.failed > 0 || report.passed + report.skipped === 0 ? 1 : 0;
}
