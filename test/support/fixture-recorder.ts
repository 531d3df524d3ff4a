/**
 * A core_pattern handler that records a crash as a fixture (src/roles/fixture.ts says what lies where) while the process
 * is held: `fixture-recorder.ts ORDER.json KERNEL_ARGUMENTS…`.
 *
 * Left out are links that lead out of a checkout (`cwd`, `root`), `mountinfo`, which speaks of the machine more than of
 * the crash, and `environ`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readlinkSync, readSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { candidatesFrom } from "../../src/node/identity/cgroup.ts";
import { runtimesOf } from "../../src/node/identity/confirm.ts";
import type { ContainerFacts } from "../../src/node/identity/runtime.ts";
import { parseKernelCall } from "../../src/node/kernel/arguments.ts";
import type { RecordedRuntime } from "../../src/roles/fixture.ts";

export interface RecordingOrder {
  /** The fixture's directory, to be made. */
  readonly out: string;
  /** As in settings.json; undefined for what is not there. */
  readonly criEndpoint?: string | undefined;
  readonly dockerHost?: string | undefined;
  /** Where the engine keeps its state, and the name that has in a fixture. */
  readonly state?: readonly ["containerd" | "docker", string] | undefined;
  /** Kills the process when so many bytes have come. */
  readonly killAfterBytes?: number | undefined;
  /** What is of this machine, and what is written instead; in this order. */
  readonly scrub: readonly (readonly [from: string, to: string])[];
}

const OF_PROCESS = ["stat", "status", "cgroup", "comm", "limits", "uid_map", "gid_map", "oom_score_adj"];
const OF_MEMORY = ["cmdline", "auxv", "maps", "comm", "status"];
const NAMESPACES = ["mnt", "pid", "net", "user", "uts", "ipc", "cgroup"];
const STATE_FILES = { containerd: ["config.json"], docker: ["config.v2.json", "hostconfig.json"] } as const;

async function record(order: RecordingOrder, argv: readonly string[]): Promise<void> {
  const { hostPid, hostTid = hostPid } = parseKernelCall(argv)?.call ?? {};
  const put = writerOf(order);
  put("call.json", json({ node: "node-1", arguments: argv }));
  put("proc/uptime", readFileSync("/proc/uptime"));
  recordProcess(`${hostPid}`, `${hostTid}`, put);
  const cgroup = readFileSync(`/proc/${hostPid}/cgroup`);
  const ids = [...new Set(candidatesFrom(cgroup).map(({ id }) => id))];
  if (order.state) recordState(order.state, ids, put);
  if (ids.length > 0) await recordAnswers(order, ids, put);
  const core = readCore(order.killAfterBytes, Number(hostPid));
  put("core.zst", zstdCompressSync(core, { params: { [constants.ZSTD_c_compressionLevel]: 19 } }));
}

type Put = (name: string, bytes: Buffer | string) => void;

function writerOf({ out, scrub }: RecordingOrder): Put {
  return (name, bytes) => {
    const path = join(out, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof bytes !== "string" && name === "core.zst") return writeFileSync(path, bytes);
    let text = bytes.toString("latin1");
    for (const [from, to] of scrub) text = text.replaceAll(from, to);
    if (!name.endsWith("exe") && !name.includes("/ns/")) return writeFileSync(path, text, "latin1");
    symlinkSync(Buffer.from(text, "latin1"), path);
  };
}

function recordProcess(pid: string, tid: string, put: Put): void {
  const from = (name: string, read: () => Buffer) => put(`proc/${pid}/${name}`, read());
  const file = (name: string) => from(name, () => readFileSync(`/proc/${pid}/${name}`));
  const link = (name: string) => from(name, () => readlinkSync(`/proc/${pid}/${name}`, "buffer"));
  for (const name of OF_PROCESS) file(name);
  for (const name of NAMESPACES) link(`ns/${name}`);
  for (const name of OF_MEMORY) file(`task/${tid}/${name}`);
  link(`task/${tid}/exe`);
  const threads = execFileSync("ls", [`/proc/${pid}/task`], { encoding: "utf8" })
    .trim()
    .split("\n");
  for (const thread of threads.filter((each) => each !== tid))
    for (const name of ["comm", "status"]) file(`task/${thread}/${name}`);
  const hostname = ["-t", pid, "-u", "cat", "/proc/sys/kernel/hostname"];
  from("hostname", () => execFileSync("nsenter", hostname));
}

function recordState([kind, folder]: NonNullable<RecordingOrder["state"]>, ids: readonly string[], put: Put): void {
  const parent = kind === "containerd" ? "io.containerd.runtime.v2.task/k8s.io" : "containers";
  for (const id of ids) {
    for (const name of STATE_FILES[kind]) {
      const path = `${parent}/${id}/${name}`;
      if (existsSync(join(folder, path)))
        put(`state/${kind}/${path}`, json(JSON.parse(readFileSync(join(folder, path), "utf8"))));
    }
  }
}

async function recordAnswers(
  { criEndpoint, dockerHost }: RecordingOrder,
  ids: readonly string[],
  put: Put,
): Promise<void> {
  const named = (criEndpoint ? criEndpoint : dockerHost) ?? "";
  const runtimes = runtimesOf({ verbosity: 0, dumpDir: "", criEndpoint, dockerHost });
  const recorded: RecordedRuntime[] = [];
  for (const runtime of runtimes.filter(({ address }) => address.includes(named))) {
    const { source, address } = runtime;
    const answers: Record<string, ContainerFacts> = {};
    try {
      for (const id of ids) {
        const facts = await runtime.inspect(id, AbortSignal.timeout(5000));
        if (facts) answers[id] = facts;
        if (facts?.logPath) put("log.txt", readFileSync(facts.logPath));
      }
      recorded.push({ source, address, answers });
    } catch (error) {
      recorded.push({ source, address, error: error instanceof Error ? error.message : String(error) });
    }
  }
  put("api.json", json(recorded));
}

/** What comes through the pipe, to its end. */
function readCore(killAfterBytes: number | undefined, pid: number): Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (let killed = false; ; ) {
    const chunk = Buffer.alloc(4096);
    const length = readSync(0, chunk);
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, length));
    bytes += length;
    if (killed || killAfterBytes === undefined || bytes < killAfterBytes) continue;
    process.kill(pid, "SIGKILL");
    killed = true;
  }
}

const json = (value: unknown): string => Buffer.from(`${JSON.stringify(value, null, 1)}\n`).toString("latin1");

if (import.meta.main) {
  const [order = "", ...argv] = process.argv.slice(2);
  await record(JSON.parse(readFileSync(order, "utf8")), argv);
}
