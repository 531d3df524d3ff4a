/** Records and caches for the commands' tests: what a node has seen on a bad day. */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DumpRecord } from "../../../src/domain/dump.ts";

/** When the golden files were "printed". */
export const NOW = new Date("2026-11-21T07:21:15.600Z");

/** `change` over a whole, ordinary dump of a pod; `digits` are its short id. */
export function record(digits: string, change: Partial<DumpRecord> = {}): DumpRecord {
  const { core, ...rest } = change;
  return {
    version: 1,
    id: `019e0000-0000-7000-8000-${digits}`,
    state: "Captured",
    reason: null,
    message: null,
    dumptime: "2026-11-21T07:21:03.512Z",
    updated: "2026-11-21T07:21:03.900Z",
    hostPid: 31605,
    hostTid: 31618,
    containerPid: 17,
    executable: "nginx",
    exe: "/usr/sbin/nginx",
    comm: change.executable ?? "nginx",
    threadName: "worker-3",
    signal: { number: 11, name: "SIGSEGV", code: 1, codeText: "address not mapped", faultAddress: "0x0" },
    threads: [
      { tid: 30, name: "worker-3", crashed: true },
      { tid: 17, name: "nginx", crashed: false },
    ],
    threadCount: 33,
    processUid: 1000,
    processGid: 1000,
    dumpable: 1,
    coreLimit: "0",
    uptimeMs: 11_520_000,
    heldMs: 310,
    node: "node-1",
    hostname: "web-0",
    owner: "pod",
    container: {
      runtime: "containerd",
      id: "4be07c0f".repeat(8),
      name: "nginx",
      image: "registry.example/nginx:1.29",
      imageDigest: `sha256:${"9f1c".repeat(16)}`,
      attempt: 4,
    },
    pod: { namespace: "shop", name: "web-0", uid: "5d0c1f7e-1111-4222-8333-444455556666" },
    identity: { source: "cri", confirmed: true, problem: null, cgroup: "/kubepods/pod1/4be0" },
    warnings: [],
    cluster: null,
    bundle: null,
    delivery: null,
    crash: null,
    ...rest,
    core: {
      path: `/var/coredump/019e0000-0000-7000-8000-${digits}/core`,
      sizeBytes: 2_254_857_830,
      storedBytes: 224_395_264,
      logicalBytes: 2_254_857_830,
      expectedBytes: 2_254_857_830,
      complete: true,
      sha256: "4be0".repeat(16),
      truncation: null,
      capture: "direct",
      ...core,
    },
  };
}

const NO_CORE = {
  path: null,
  sizeBytes: null,
  storedBytes: null,
  logicalBytes: null,
  expectedBytes: null,
  complete: null,
  sha256: null,
  truncation: null,
  capture: null,
} as const;

/** Nothing could be learnt but that there was a crash. */
export const UNKNOWN = record("000000000000", {
  state: "Lost",
  reason: "KernelGaveUp",
  hostTid: null,
  containerPid: null,
  executable: "unknown",
  exe: null,
  comm: null,
  threadName: null,
  signal: null,
  threads: [],
  threadCount: null,
  processUid: null,
  processGid: null,
  dumpable: null,
  coreLimit: null,
  uptimeMs: null,
  heldMs: null,
  hostname: null,
  owner: "unknown",
  container: null,
  pod: null,
  identity: { source: "none", confirmed: false, problem: null, cgroup: null },
  core: NO_CORE,
});

const ANSI = 'a b"\n\x1b[31mred\x1b[0m\x9b2J\u202egnp.exe\u{1f600}漢字';

/** Everything a crashed process may call itself or its files. */
export const HOSTILE = record("badbadbadbad", {
  executable: ANSI,
  exe: `/tmp/${ANSI}/../x`,
  comm: ANSI,
  threadName: ANSI,
  threads: [{ tid: 1, name: ANSI, crashed: true }],
  threadCount: 2,
  hostname: ANSI,
  owner: "docker",
  container: {
    runtime: "docker",
    id: "ab".repeat(32),
    name: "n".repeat(300),
    image: ANSI,
    imageDigest: null,
    attempt: null,
  },
  pod: null,
  identity: { source: "docker", confirmed: false, problem: `docker said ${ANSI}`, cgroup: ANSI },
  message: ANSI,
  warnings: [ANSI],
});

/** In a container without an engine's id; its users know it by another name than its executable's. */
export const UNNAMED = record("5a5a00c0ffee", {
  dumptime: "2026-11-18T07:21:03.512Z",
  executable: "redis-check-rdb",
  exe: "/usr/bin/redis-check-rdb",
  comm: "redis-server",
  owner: "unknown",
  container: null,
  pod: null,
  hostname: "web01",
  identity: {
    source: "none",
    confirmed: false,
    problem: "no engine names its container",
    cgroup: "/lxc.payload.web01/system.slice/redis.service",
  },
});

/** Newest first, as the cache gives them. */
export const RECORDS: readonly DumpRecord[] = [
  record("3f9c2a71b0de"),
  record("90b2c4e1d7aa", {
    state: "Refused",
    reason: "TooBig",
    message: "too big: 41 GiB, limit 32 GiB",
    dumptime: "2026-11-21T07:18:15.000Z",
    executable: "java",
    signal: { number: 6, name: "SIGABRT", code: -6, codeText: "sent by tkill", faultAddress: null },
    pod: { namespace: "batch", name: "etl-x7k2p", uid: "5d0c1f7e-1111-4222-8333-444455556667" },
    container: { runtime: "containerd", id: "0a".repeat(32), name: "java", image: null, imageDigest: null, attempt: 0 },
    core: NO_CORE,
  }),
  record("77aa01c2f3b4", {
    reason: "Truncated",
    dumptime: "2026-11-21T06:20:03.000Z",
    executable: "sshd",
    exe: "/usr/sbin/sshd",
    signal: { number: 7, name: "SIGBUS", code: 2, codeText: "nonexistent physical address", faultAddress: "0x7f00" },
    threads: [{ tid: 812, name: "sshd", crashed: true }],
    threadCount: 1,
    owner: "host",
    container: null,
    pod: null,
    hostname: "node-1",
    identity: { source: "none", confirmed: true, problem: null, cgroup: "/system.slice/ssh.service" },
    core: {
      ...record("77aa01c2f3b4").core,
      sizeBytes: 2_097_152,
      storedBytes: 2_097_152,
      logicalBytes: 2_097_152,
      expectedBytes: 4_194_304,
      complete: false,
      truncation: "source-cut-short",
    },
  }),
  record("0123456789ab", {
    state: "Evicted",
    reason: "MadeRoom",
    dumptime: "2026-11-19T07:21:03.512Z",
    owner: "docker",
    executable: "python3.11",
    pod: null,
    container: {
      runtime: "docker",
      id: "cd".repeat(32),
      name: "lonely",
      image: "python:3",
      imageDigest: null,
      attempt: null,
    },
    core: { ...record("0123456789ab").core, path: null },
  }),
  UNKNOWN,
];

/** A real core of a real crash (fixtures/elf/make). */
export const CORE = join(import.meta.dirname, "../../../fixtures/elf/segv.core");

export interface TestCache extends Disposable {
  readonly dir: string;
  path(name: string): string;
  /** Puts a record there, with a core whose figures it takes over. */
  put(record: DumpRecord, core?: string | Buffer): DumpRecord;
  stored(record: DumpRecord): DumpRecord;
}

/** A cache in a directory of its own, which goes when the test ends; beside it there is room for other files. */
export function testCache(records: readonly DumpRecord[] = []): TestCache {
  const root = mkdtempSync(join(tmpdir(), "commands-"));
  const dir = join(root, "cache");
  mkdirSync(dir, { mode: 0o700 });
  const recordPath = ({ id }: DumpRecord) => join(dir, id, "record.json");
  const cache: TestCache = {
    dir,
    path: (name) => join(root, name),
    put(record, core) {
      mkdirSync(join(dir, record.id), { mode: 0o700 });
      const path = join(dir, record.id, "core");
      if (typeof core === "string") copyFileSync(core, path);
      else if (core) writeFileSync(path, core);
      const whole = core === undefined ? record : { ...record, core: { ...record.core, ...figuresOf(path) } };
      writeFileSync(recordPath(record), JSON.stringify(whole));
      return whole;
    },
    stored: (record) => JSON.parse(readFileSync(recordPath(record), "utf8")) as DumpRecord,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
  for (const each of records) cache.put(each);
  return cache;
}

/** A cache that holds one real core, rightly recorded, as 3f9c2a71b0de. */
export function withCore(change: Partial<DumpRecord> = {}): TestCache & { core: string } {
  const cache = testCache();
  const { id } = cache.put(record("3f9c2a71b0de", change), CORE);
  return { ...cache, core: join(cache.dir, id, "core") };
}

function figuresOf(path: string): Partial<DumpRecord["core"]> {
  const { size, blocks } = statSync(path);
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  return { path, sizeBytes: size, logicalBytes: size, expectedBytes: size, storedBytes: blocks * 512, sha256 };
}
