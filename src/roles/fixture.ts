/**
 * A recorded crash as files: all that a handler would find on the node.
 *
 *   call.json    `node`, its name, and `arguments`, which the kernel gave the handler
 *   proc/        `uptime` and `<pid>/…`: facts of the held process; `hostname` is its UTS name
 *   core.zst     what came through the pipe (or `core`, plain)
 *   state/       `containerd/ containers/ docker/`: state files as below /run/containerd, containers/storage, /var/lib/docker
 *   api.json     what the run-times' APIs answered, and `log.txt` the container's log; absent when there was none
 *   expect.json  what the record must say; for tests
 */
import { closeSync, createReadStream, createWriteStream, existsSync, openSync, readdirSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { createZstdDecompress } from "node:zlib";
import { DumpError, reasonOf } from "../domain/failures.ts";
import type { ContainerFacts, ContainerRuntime } from "../node/identity/runtime.ts";
import type { StatePlaces } from "../node/identity/state-files.ts";
import { type KernelCall, parseKernelCall } from "../node/kernel/arguments.ts";
import { readSmall } from "../system/small-file.ts";
import { openUnnamed } from "../system/unnamed-file.ts";

/** One run-time's answers, by container id; or why it gave none. */
export interface RecordedRuntime {
  readonly source: ContainerRuntime["source"];
  readonly address: string;
  readonly answers?: Readonly<Record<string, ContainerFacts>>;
  readonly error?: string;
}

export interface Fixture {
  readonly name: string;
  readonly node: string;
  readonly kernelCall: KernelCall;
  readonly proc: string;
  readonly places: StatePlaces;
  readonly runtimes: readonly ContainerRuntime[];
  /** A descriptor that reads the core as the pipe would; `scratch` is a directory for the plain bytes. */
  openCore(scratch: string): Promise<number>;
}

/** @throws DumpError CORE_UNREADABLE when a file is missing or not what it should be */
export function readFixture(dir: string): Fixture {
  const call = json(dir, "call.json") as { node?: unknown; arguments?: unknown } | null;
  const words = Array.isArray(call?.arguments) ? call.arguments.map(String) : [];
  const kernelCall = parseKernelCall(words);
  if (!kernelCall) throw unreadable(dir, "call.json names no pid (-P=…)");
  const recorded = existsSync(join(dir, "api.json")) ? json(dir, "api.json") : [];
  if (!Array.isArray(recorded) || !recorded.every(isObject))
    throw unreadable(dir, "api.json is not a list of run-times");
  return {
    name: basename(resolve(dir)),
    node: typeof call?.node === "string" ? call.node : "unknown",
    kernelCall,
    proc: resolve(dir, "proc"),
    places: {
      containerdStates: [resolve(dir, "state/containerd")],
      containersStorages: [resolve(dir, "state/containers")],
      dockerDataRoots: [resolve(dir, "state/docker")],
    },
    runtimes: (recorded as RecordedRuntime[]).map((runtime) => replayed(runtime, join(dir, "log.txt"))),
    openCore: (scratch) => openCore(dir, scratch),
  };
}

/** Names of the fixtures in a directory. */
export const fixturesIn = (dir: string): string[] =>
  existsSync(dir) ? readdirSync(dir).filter((name) => existsSync(join(dir, name, "call.json"))) : [];

/** The log's path is one of the node's: here the recorded log stands for it, never a file of this machine. */
function replayed({ source, address, answers = {}, error }: RecordedRuntime, log: string): ContainerRuntime {
  return {
    source,
    address,
    async inspect(id) {
      if (error !== undefined) throw new DumpError("RUNTIME_UNAVAILABLE", error);
      const facts = Object.hasOwn(answers, id) ? answers[id] : undefined;
      return facts && { ...facts, logPath: existsSync(log) ? resolve(log) : null };
    },
  };
}

/** A fixture may be a stranger's: a few kilobytes can unpack to any length, on the cache's disk. */
const MOST_CORE_BYTES = 4 * 2 ** 30;

/** For a pipeline. @throws DumpError CORE_UNREADABLE at the first byte too many */
export const atMost = (bytes: number) =>
  async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    let left = bytes;
    for await (const chunk of chunks) {
      left -= chunk.length;
      if (left < 0) throw new DumpError("CORE_UNREADABLE", `unpacked it is longer than ${bytes} bytes`);
      yield chunk;
    }
  };

async function openCore(dir: string, scratch: string): Promise<number> {
  const path = join(scratch, `.replay-${process.pid}`);
  let fd: number | undefined;
  try {
    const plain = join(dir, "core");
    if (existsSync(plain)) return openSync(plain, "r");
    fd = openUnnamed(scratch) ?? openSync(path, "wx+", 0o600);
    const unpacked = createWriteStream(`/proc/self/fd/${fd}`);
    const packed = createReadStream(join(dir, "core.zst"));
    await pipeline(packed, createZstdDecompress(), atMost(MOST_CORE_BYTES), unpacked);
    return openSync(`/proc/self/fd/${fd}`, "r"); // from its beginning
  } catch (cause) {
    throw unreadable(dir, reasonOf(cause));
  } finally {
    if (fd !== undefined) closeSync(fd);
    rmSync(path, { force: true });
  }
}

function json(dir: string, name: string): unknown {
  try {
    return JSON.parse(readSmall(join(dir, name)).toString("utf8"));
  } catch (cause) {
    throw unreadable(dir, `${name}: ${reasonOf(cause)}`);
  }
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;

const unreadable = (dir: string, why: string): DumpError =>
  new DumpError("CORE_UNREADABLE", `Cannot replay ${dir}: ${why}`);
