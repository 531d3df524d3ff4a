/**
 * Records fixtures/ anew from real crashes: `bin/node test/support/record-fixtures.ts [NAME…]`, as root, after
 * `test/testbed/testbed setup`. What each record must say is written from what was made to crash, not from what came out.
 */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { zstdDecompressSync } from "node:zlib";
import { KERNEL_ARGUMENTS } from "./captured.ts";
import { type Cgroups, type Engine, type EngineKind, type Ran, type RunSpec, startEngine } from "./engines.ts";
import type { RecordingOrder } from "./fixture-recorder.ts";
import { program, ROOT, TESTBED } from "./paths.ts";
import { withPattern } from "./pattern.ts";
import { tempDir } from "./tmp.ts";

interface Recipe {
  readonly engine?: readonly [EngineKind, Cgroups?];
  readonly spec?: RunSpec;
  /** A host process: shell words after `exec`, run in a folder with the program `crash`. */
  readonly host?: string;
  readonly order?: Partial<RecordingOrder>;
  /** What the record must say, beside what is common to all. */
  readonly expect: object;
}

const POD: RunSpec = { namespace: "shop", pod: "web-0", container: "nginx", attempt: 4, hostNetwork: false };
const said = (command: string) => ["/bin/sh", "-c", `echo "serving on :8080"; exec ${command}`];
const SEGV = { number: 11, name: "SIGSEGV", code: 1, codeText: "address not mapped", faultAddress: "0xdead" };
const ORDINARY = { state: "Captured", reason: null, signal: SEGV, executable: "crash", dumpable: 1, threadCount: 1 };
const IN_POD = { ...ORDINARY, owner: "pod", exe: "/bin/crash", processUid: 0, hostname: "web-0" };
const ON_HOST = { ...ORDINARY, owner: "host", exe: "/srv/crash", hostname: "node-1", pod: null, container: null };
const NAME = 'a b"\\n\\033[31m\\377'; // for printf
const NAME_TEXT = 'a b"\n\x1b[31m\\xff';

const RECIPES: Readonly<Record<string, Recipe>> = {
  "containerd-pod": {
    engine: ["containerd-2"],
    spec: { ...POD, command: said("/bin/crash 0") },
    expect: { ...IN_POD, identity: { source: "cri", confirmed: true, problem: null } },
  },
  "containerd-systemd": {
    engine: ["containerd-1.6", "systemd"],
    spec: { ...POD, command: said("/bin/crash 0"), uid: 1000 },
    expect: { ...IN_POD, processUid: 1000, identity: { source: "cri", confirmed: true, problem: null } },
  },
  docker: {
    engine: ["docker"],
    spec: { container: "web", command: ["/bin/sh", "-c", "/bin/crash -s 6 0; exit 134"] }, // raised in PID 1 it would be ignored
    expect: {
      ...ORDINARY,
      owner: "docker",
      pod: null,
      signal: { number: 6, name: "SIGABRT", faultAddress: null },
      container: { runtime: "docker", name: "web", image: "localhost/testbed:1" },
      identity: { source: "docker", confirmed: true, problem: null },
    },
  },
  host: { host: "./crash 0", expect: { ...ON_HOST, identity: { source: "none", problem: null } } },
  threads: {
    engine: ["containerd-2"],
    spec: { ...POD, uid: 1000, command: ["/bin/crash", "0", "3"] },
    expect: {
      ...IN_POD,
      processUid: 1000,
      threadName: "worker-1",
      threadCount: 4,
      threads: [
        { name: "worker-1", crashed: true },
        { name: "crash", crashed: false },
        { name: "worker-2", crashed: false },
        { name: "worker-3", crashed: false },
      ],
    },
  },
  truncated: {
    host: "./crash 1",
    order: { killAfterBytes: 200_000 },
    expect: { ...ON_HOST, reason: "Truncated", core: { complete: false, truncation: "source-cut-short" } },
  },
  hostile: {
    engine: ["containerd-2"],
    spec: {
      ...POD,
      command: ["/bin/sh", "-c", `cd /tmp; f="$(printf '${NAME}')"; cp /bin/crash "$f"; exec "./$f" -n "$f" 0`],
    },
    expect: { ...IN_POD, executable: NAME_TEXT, exe: `/tmp/${NAME_TEXT}`, comm: `${NAME_TEXT}` },
  },
  "set-uid": {
    engine: ["containerd-2"],
    spec: { ...POD, command: said("/bin/crash -u 1000 0") },
    expect: { ...IN_POD, state: "Restricted", reason: "NotDumpable", dumpable: 2, processUid: 1000 },
  },
  "opted-out": {
    engine: ["containerd-2"],
    spec: { ...POD, podLabels: { "coredump.fujitsu.com/no-coredump": "true" }, command: ["/bin/crash", "0"] },
    expect: {
      ...IN_POD,
      state: "Refused",
      reason: "OptedOut",
      signal: { number: 11 },
      core: { path: null },
    },
  },
  "engine-away": {
    engine: ["containerd-2"],
    spec: { ...POD, command: ["/bin/crash", "0"] },
    order: { criEndpoint: "/run/containerd/containerd.sock" },
    expect: { ...IN_POD, identity: { source: "state-files", confirmed: false } },
  },
};

async function record(name: string, recipe: Recipe): Promise<void> {
  const out = join(ROOT, "fixtures", name);
  using work = tempDir();
  rmSync(out, { recursive: true, force: true });
  const { engine: kind } = recipe;
  await using engine = kind ? await startEngine(...kind) : undefined;
  const order: RecordingOrder = { out, ...placesOf(engine), scrub: scrubFor(engine), ...recipe.order };
  writeFileSync(join(work.path, "order"), JSON.stringify(order));
  const words = [join(ROOT, "bin/node"), join(import.meta.dirname, "fixture-recorder.ts"), join(work.path, "order")];
  writeFileSync(join(work.path, "record"), `#!/bin/sh\nexec ${words.join(" ")} "$@" > ${work.path}/said 2>&1\n`, {
    mode: 0o755,
  });
  const said = () => (existsSync(join(work.path, "said")) ? readFileSync(join(work.path, "said"), "utf8") : "no crash");
  const ran = await withPattern(
    `|${work.path}/record ${KERNEL_ARGUMENTS}`,
    async () => {
      const end = engine ? engine.run(recipe.spec) : crashOnHost(recipe.host ?? "");
      for (let tries = 0; !existsSync(join(out, "core.zst")); tries++) {
        if (tries === 500) throw new Error(`Cannot record ${name}: ${said()}`); // others wait for the pattern
        await sleep(20);
      }
      return await end;
    },
    { suidDumpable: 2 },
  );
  writeFileSync(join(out, "expect.json"), `${JSON.stringify(expectation(recipe, out, ran), null, 1)}\n`);
  refuseTraces(out);
}

function placesOf(engine: Engine | undefined): Partial<RecordingOrder> {
  if (!engine) return {};
  if (engine.kind === "docker") return { dockerHost: `unix://${engine.socket}`, state: ["docker", engine.stateDir] };
  return { criEndpoint: engine.socket, state: ["containerd", engine.stateDir] };
}

/** The usual places for the test bed's, and no name of this machine. */
function scrubFor(engine: Engine | undefined): RecordingOrder["scrub"] {
  const own = readFileSync("/proc/self/cgroup", "latin1").split("\n");
  const cgroups = own.map((line) => line.split(":")[2] ?? "").filter((path) => path.length > 1);
  return [
    ...(engine
      ? ([
          [`${engine.folder}/run`, engine.kind === "docker" ? "/run" : "/run/containerd"],
          [`${engine.folder}/root`, "/var/lib/containerd"],
          [`${engine.folder}/data`, "/var/lib/docker"],
          [`${engine.folder}/log`, "/var/log/pods"],
        ] as const)
      : []),
    ...cgroups.map((path) => [path, "/"] as const),
    [`${hostname()}\n`, "node-1\n"],
  ];
}

/** With an empty environment, from /srv: neither may tell of this machine. */
async function crashOnHost(words: string): Promise<undefined> {
  using folder = tempDir();
  copyFileSync(program("crash"), join(folder.path, "crash"));
  execFileSync("chmod", ["755", folder.path, join(folder.path, "crash")]);
  const inside = `mount --bind ${folder.path} /srv && cd /srv && exec env -i ${words}`;
  await promisify(execFile)("unshare", ["--mount", "--propagation", "private", "sh", "-c", inside]).catch(() => {});
}

/** Owner and core, as this script knows them: ids from the engine, size and digest from the stream. */
function expectation({ engine, spec, expect }: Recipe, out: string, ran: Ran | undefined): object {
  const core = zstdDecompressSync(readFileSync(join(out, "core.zst")));
  const whole = { sizeBytes: core.length, sha256: createHash("sha256").update(core).digest("hex") };
  const given = expect as Record<string, Record<string, unknown> | string>;
  const held = given["state"] !== "Refused";
  return {
    ...expect,
    ...(ran?.podUid && { pod: { namespace: spec?.namespace, name: spec?.pod, uid: ran.podUid } }),
    ...(ran && {
      container: {
        id: ran.id,
        name: spec?.container,
        image: "localhost/testbed:1",
        ...(engine?.[0] !== "docker" && { runtime: "containerd" }),
        ...((given["container"] as object) ?? {}),
      },
    }),
    core: { ...(held && { complete: true, truncation: null, ...whole }), ...((given["core"] as object) ?? {}) },
  };
}

function refuseTraces(out: string): void {
  const traces = [TESTBED, ROOT, realpathSync(join(TESTBED, "bin")), "coredump-testbed"];
  for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    const plain = entry.name === "core.zst" ? zstdDecompressSync(bytes) : bytes;
    const found = traces.find((trace) => plain.includes(trace));
    if (found !== undefined) throw new Error(`${join(entry.parentPath, entry.name)} tells of this machine: ${found}`);
  }
}

const names = process.argv.slice(2);
for (const [name, recipe] of Object.entries(RECIPES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  await record(name, recipe);
  console.log(`recorded ${name}`);
}
