/** A crash in a folder: a /proc of files, a stream, a run-time that says what a test wants, and the handler over it all. */
import { closeSync, fstatSync, mkdirSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CAPTURE_OPTIONS, type HandlerSettings, type KernelArguments, NODE_OPTIONS } from "../../src/config/options.ts";
import { valuesOf } from "../../src/config/values.ts";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { Cache } from "../../src/node/cache/cache.ts";
import { type Entry, Spool } from "../../src/node/cache/spool.ts";
import type { World } from "../../src/node/capture/world.ts";
import type { Identification } from "../../src/node/identity/runtime.ts";
import { type HandlerParts, handle } from "../../src/roles/handler/handler.ts";
import { coreOf } from "../node/cache/caches.ts";
import { tempDir } from "../support/tmp.ts";

export const CORE = coreOf();

/** What the state files say of a plain container: enough, and without labels. */
export const QUICK: Identification = {
  owner: "docker",
  container: { runtime: "docker", id: "ab".repeat(32), name: "web", image: null, imageDigest: null, attempt: null },
  pod: null,
  identity: { source: "state-files", confirmed: false, problem: null, cgroup: "/docker/abab" },
  labels: null,
  logPath: null,
  documents: {},
};
export const CONFIRMED: Identification = {
  ...QUICK,
  identity: { ...QUICK.identity, source: "docker", confirmed: true },
  labels: {},
};
export const HOST: Identification = {
  ...QUICK,
  ...{ owner: "host", container: null },
  identity: { source: "none", confirmed: false, problem: null, cgroup: null },
};
export const UNKNOWN: Identification = { ...HOST, owner: "unknown" };

export interface Crash {
  readonly call?: Partial<KernelArguments>;
  readonly problems?: readonly string[];
  /** Files of /proc/7 over the usual ones; undefined leaves one out. */
  readonly proc?: Readonly<Record<string, string | Buffer | undefined>>;
  readonly exe?: string;
  readonly stream?: Uint8Array;
  readonly settings?: Readonly<Record<string, string>>;
  readonly quickly?: () => Identification;
  readonly byApi?: () => Promise<Identification>;
  readonly world?: Partial<World>;
  readonly parts?: HandlerParts;
  /** Runs when the cache is there, and before the handler. */
  readonly before?: (spool: Spool) => void;
}

export interface Handled extends Disposable {
  readonly exitCode: number;
  readonly records: readonly DumpRecord[];
  /** The dump's record and directory. */
  readonly record: DumpRecord;
  readonly entry: Entry;
  readonly lastWords: readonly string[];
  /** Whether the crashed process was let go. */
  readonly released: boolean;
  readonly folder: string;
}

const STATUS =
  "Name:\tweb\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\nNSpid:\t7\t1\nVmRSS:\t40 kB\nVmSwap:\t0 kB\nCoreDumping:\t1\n";
const PROC = {
  "7/status": STATUS,
  "7/stat": "7 (web) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1000 0 0",
  "7/comm": "web\n",
  "7/cmdline": "web\0--serve\0",
  "7/cgroup": "0::/docker/abab\n",
  "7/hostname": "c0ffee\n",
  uptime: "70.5 100.0\n",
};

/** Runs the handler once; everything it makes lies in a folder that goes with the result. */
export async function handled(crash: Crash = {}): Promise<Handled> {
  const dir = tempDir();
  const at = (name: string) => join(dir.path, name);
  makeProc(at("proc"), crash);
  writeFileSync(at("stream"), crash.stream ?? CORE);
  const stdin = openSync(at("stream"), "r");
  const lastWords: string[] = [];
  const world: World = {
    proc: at("proc"),
    stdin,
    settings: settingsOf({ "dump-dir": at("cache"), ...crash.settings }),
    node: "node-1",
    executable: process.execPath,
    formerHandler: undefined,
    kernelLog: (text) => lastWords.push(text),
    identify: { quickly: crash.quickly ?? (() => QUICK), byApi: crash.byApi ?? (async () => CONFIRMED) },
    ...crash.world,
  };
  if (crash.before) crash.before(Spool.open(at("cache"), true));
  const call = {
    hostPid: 7,
    containerPid: 1,
    threadName: "worker",
    signal: 11,
    uid: 1000,
    gid: 100,
    dumpable: 1,
    ...crash.call,
  };
  const kernelCall = {
    call: { ...call, hostPid: call.hostPid ?? 7 },
    flags: new Map(),
    problems: crash.problems ?? [],
  };
  const exitCode = await handle(kernelCall, world, [], crash.parts);
  const records = recordsIn(at("cache"));
  return {
    exitCode,
    records,
    lastWords,
    released: isClosed(stdin),
    folder: dir.path,
    get record() {
      return records[0] as DumpRecord;
    },
    get entry() {
      return Spool.open(at("cache")).entry(records[0]?.id ?? "");
    },
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}

function makeProc(proc: string, { proc: files = {}, exe = "/usr/bin/web" }: Crash): void {
  mkdirSync(join(proc, "7"), { recursive: true });
  const own = Object.fromEntries(Object.entries(files).map(([name, content]) => [`7/${name}`, content]));
  for (const [name, content] of Object.entries({ ...PROC, ...own })) {
    if (content !== undefined) writeFileSync(join(proc, name), content);
  }
  symlinkSync(exe, join(proc, "7/exe"));
}

export function settingsOf(set: Readonly<Record<string, string>>): HandlerSettings {
  const complain = (problem: string) => {
    throw new Error(problem);
  };
  const found = ({ flag }: { readonly flag: string }) =>
    ({ capture: "drain", "cache-share": "100", "free-share": "0", ...set })[flag];
  return { ...valuesOf(NODE_OPTIONS, found, complain), ...valuesOf(CAPTURE_OPTIONS, found, complain) };
}

function recordsIn(dir: string): readonly DumpRecord[] {
  try {
    return new Cache(Spool.open(dir)).records();
  } catch {
    return []; // it could not be made
  }
}

function isClosed(fd: number): boolean {
  try {
    fstatSync(fd);
    closeSync(fd);
    return false;
  } catch {
    return true;
  }
}
