/** Runs the tests; `bin/test` is its entry and says what the parts are. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { run } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { bundledProgram } from "./support/bundled.ts";
import { outcomeOf, problemOf } from "./support/command.ts";
import { leftSince, traces } from "./support/leftovers.ts";
import { ROOT, TESTBED, TESTBED_COMMAND } from "./support/paths.ts";
import { Report } from "./support/report.ts";

// Each test file is a process, and starts some: without this most of their time goes into stripping types and compiling.
process.env["NODE_COMPILE_CACHE"] ??= join(ROOT, ".cache/compile");

/** Files at once: node:test leaves a processor free, where most files wait for something half of their time. */
const AT_ONCE = availableParallelism() + 1;

const report = new Report();
const stopping = new AbortController();
const [part = "all", ...only] = process.argv.slice(2);
const chosen = only.map((file) => resolve(file));
const isRoot = process.getuid?.() === 0;

const PARTS: Record<string, () => Promise<void>> = {
  ok: async () => {
    process.env["COREDUMP_FEW_RUNS"] = "1";
    await quick();
  },
  unit,
  node: () => endToEnd("node"),
  cluster: () => endToEnd("cluster"),
  kernels: async () => {
    await prepare("node");
    for (const kernel of KERNELS) await underKernel(kernel);
  },
  inside: () => runFiles(find(PER_KERNEL), { concurrency: false, timeoutMs: 900_000 }),
  all: async () => {
    for (const folder of ["cluster", "node"]) await prepare(folder); // first: unit tests use the real parts that are there
    await quick();
    // Other kernels have core patterns of their own, so they need not wait for this one's.
    await Promise.all([
      PARTS["kernels"]?.(),
      (async () => {
        for (const part of ["node", "cluster"]) await PARTS[part]?.();
      })(),
    ]);
  },
};

/** Debian's oldest that is still kept, and its newest: `%F`, the coredump sockets and cgroup v2's memory.peak came between them. */
const KERNELS = ["6.1", "trixie-backports"];
/** Tests whose outcome may differ by kernel, and which need no container engine. */
const PER_KERNEL = ["test/e2e/node/{capture-host,memory-cost}.test.ts", "test/e2e/kernels/*.test.ts"];

/** The same tests in a virtual machine, which takes what the others leave of the processors; what it prints comes when it is through, because other files are at work meanwhile. */
async function underKernel(kernel: string): Promise<void> {
  if (!isRoot || stopping.signal.aborted || find(PER_KERNEL).length === 0) return;
  const inside = ["env", "CI=true", `TESTBED=${TESTBED}`, "bin/test", "inside", ...chosen];
  const vm = ["vm", "--kernel", kernel, "--seconds", "2400", ...inside];
  report.nested(`kernel ${kernel}`, await outcomeOf("nice", ["-n", "5", TESTBED_COMMAND, ...vm], stopping.signal));
}

const quick = () => Promise.all([types(), lint(), unit()]);

/** Left out of the fast loop: they start the program, gdb, xz, etcd or a server many times, hold much, or are measured by a clock. */
const SLOW = [
  "test/api/server/{hostile,lists}.test.ts",
  "test/cli/commands/{cli,crash,dump,replay,terminal}.test.ts",
  "test/cli/kubectl/{commands,debug,dump}.test.ts",
  "test/contract/{store,sink,storage-*}.test.ts",
  "test/crash/xz.test.ts",
  "test/webhook/server.test.ts",
  "test/api/storage/**/*.test.ts",
  "test/store/decorators.test.ts",
];

function types(): Promise<void> {
  return report.check("types", () => problemOf("bin/node", ["node_modules/typescript/bin/tsc"], stopping.signal));
}

function lint(): Promise<void> {
  const biome = ["node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings"];
  return report.check("lint", () => problemOf("bin/node", biome, stopping.signal));
}

async function unit(): Promise<void> {
  process.env["COREDUMP_TEST_PROGRAM"] = await bundledProgram();
  const slow = part === "ok" ? SLOW : [];
  await runFiles(find("test/**/*.test.ts", ["test/e2e/**", ...slow]), { concurrency: AT_ONCE, timeoutMs: 120_000 });
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
  const setup = ["setup", folder === "cluster" ? "cluster" : "corpus"];
  if (isRoot) await setUp("testbed setup", () => problemOf(TESTBED_COMMAND, setup, stopping.signal));
}

/** Set-up counts only when it fails; the tests that needed it say so for themselves. */
async function setUp(name: string, work: () => Promise<string | undefined>): Promise<void> {
  if (stopping.signal.aborted) return;
  const problem = await work();
  if (problem !== undefined) await report.check(name, async () => problem);
}

function find(pattern: string | string[], exclude: string[] = []): string[] {
  const files = globSync(pattern, { cwd: ROOT, exclude }).map((file) => join(ROOT, file));
  return files.filter((file) => chosen.length === 0 || chosen.includes(file)).sort();
}

async function runFiles(files: string[], how: { concurrency: number | false; timeoutMs: number }): Promise<void> {
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
