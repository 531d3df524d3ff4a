import assert from "node:assert/strict";
import { test } from "node:test";
import { type BootReading, checkBoot, lastWord } from "../../../src/node/doctor/boot.ts";
import { type CacheReading, checkCache } from "../../../src/node/doctor/cache.ts";
import { checkEngines } from "../../../src/node/doctor/engines.ts";
import { checkHandler, type HandlerReading } from "../../../src/node/doctor/handler.ts";
import { checkKernel, checkPtrace, checkSelinux } from "../../../src/node/doctor/kernel.ts";
import { checkLost } from "../../../src/node/doctor/lost.ts";
import { checkLimits, checkPattern, checkRlimit } from "../../../src/node/doctor/pattern.ts";
import { placesIn } from "../../../src/node/install/host.ts";
import type { Step } from "../../../src/node/install/step.ts";
import { patternFor } from "../../../src/node/kernel/core-pattern.ts";
import type { KernelRefusal } from "../../../src/node/kernel/kmsg.ts";

const BINARY = "/coredump/coredump-detector";
const PLACES = placesIn("/coredump");
const OURS = patternFor(BINARY, "6.18");

/** A check, what it is given, and what it should say. */
function cases(
  name: string,
  rows: readonly { on: string; got: Step | readonly Step[]; level: Step["level"]; text: RegExp; hint?: RegExp }[],
): void {
  for (const { on, got, level, text, hint } of rows) {
    test(`${name}() on ${on}: ${level}`, () => {
      const step = [got].flat()[0];
      assert.equal(step?.level, level);
      assert.match(step?.text ?? "", text);
      if (hint) assert.match(step?.hint ?? "", hint);
      // Whatever is not in order comes with something to do.
      if (level === "problem") assert.notEqual(step?.hint, undefined);
    });
  }
}

const kernel = (release: string, config?: string) => checkKernel({ release, config });
cases("checkPtrace", [
  {
    on: "Yama's strictest mode",
    got: checkPtrace("kernel.yama.ptrace_scope is 3"),
    level: "warning",
    text: /^kernel\.yama\.ptrace_scope is 3; every core comes through the pipe/,
    hint: /reboot/,
  },
]);
test("checkPtrace() has nothing to say where root may read", () => assert.deepEqual(checkPtrace(undefined), []));

cases("checkKernel", [
  { on: "6.18", got: kernel("6.18.1"), level: "ok", text: /^6\.18, %F supported, coredump sockets supported$/ },
  { on: "6.16", got: kernel("6.16.0"), level: "ok", text: /%F supported, coredump sockets without a protocol/ },
  { on: "5.10", got: kernel("5.10.0-28-amd64"), level: "ok", text: /^5\.10, no %F before 6\.16/ },
  {
    on: "before 5.3",
    got: kernel("4.18.0-553.el8"),
    level: "warning",
    text: /splits the pattern after putting names in/,
    hint: /takes all of them for the name.*coredump-detector install/,
  },
  {
    on: "CONFIG_STATIC_USERMODEHELPER",
    got: kernel("6.6.0", 'CONFIG_STATIC_USERMODEHELPER=y\nCONFIG_STATIC_USERMODEHELPER_PATH="/sbin/usermode-helper"\n'),
    level: "problem",
    text: /starts \/sbin\/usermode-helper in place of every handler/,
  },
  {
    on: "a helper that is not set",
    got: kernel("6.6.0", "# CONFIG_STATIC_USERMODEHELPER is not set\n"),
    level: "ok",
    text: /6\.6/,
  },
  {
    on: "no CONFIG_COREDUMP",
    got: kernel("6.6.0", "# CONFIG_COREDUMP is not set\n"),
    level: "problem",
    text: /without CONFIG_COREDUMP/,
  },
]);

cases("checkPattern", [
  { on: "ours", got: checkPattern(OURS, BINARY, "6.18"), level: "ok", text: /^ours, 94 of 127 bytes$/ },
  {
    on: "the one of an older kernel",
    got: checkPattern(OURS, BINARY, "5.10"),
    level: "warning",
    text: /not as this version writes it/,
  },
  {
    on: "ours in another directory",
    got: checkPattern(patternFor("/opt/coredump-detector", "6.18"), BINARY, "6.18"),
    level: "ok",
    text: /ours/,
  },
  {
    on: "ours without a pid",
    got: checkPattern(`|${BINARY}`, BINARY, "6.18"),
    level: "problem",
    text: /without -P=%P/,
  },
  {
    on: "systemd's",
    got: checkPattern("|/usr/lib/systemd/systemd-coredump %P", BINARY, "6.18"),
    level: "problem",
    text: /^systemd-coredump's: \|/,
    hint: /install/,
  },
  { on: "a file's", got: checkPattern("core", BINARY, "6.18"), level: "problem", text: /^a file pattern: core$/ },
  { on: "none", got: checkPattern("", BINARY, "6.18"), level: "problem", text: /^empty/ },
]);

cases("checkLimits", [
  {
    on: "what install sets",
    got: checkLimits({ pipeLimit: 64, suidDumpable: 2 }, 16),
    level: "ok",
    text: /64, suid_dumpable 2/,
  },
  {
    on: "no pipe limit",
    got: checkLimits({ pipeLimit: 0, suidDumpable: 2 }, 16),
    level: "problem",
    text: /does not hold/,
  },
  {
    on: "a pipe limit of --max-dumps",
    got: checkLimits({ pipeLimit: 16, suidDumpable: 2 }, 16),
    level: "warning",
    text: /drops/,
  },
  {
    on: "suid_dumpable 0",
    got: checkLimits({ pipeLimit: 64, suidDumpable: 0 }, 16),
    level: "problem",
    text: /no trace/,
  },
  {
    on: "suid_dumpable 1",
    got: checkLimits({ pipeLimit: 64, suidDumpable: 1 }, 16),
    level: "warning",
    text: /set-uid/,
  },
]);

const init = (soft: string, hard: string) =>
  `Limit   Soft   Hard   Units\nMax core file size        ${soft}    ${hard}    bytes     \n`;
cases("checkRlimit", [
  {
    on: "0, as engines set it",
    got: checkRlimit(init("0", "unlimited"), "ignore"),
    level: "ok",
    text: /called all the same/,
  },
  {
    on: "0 where it is honoured",
    got: checkRlimit(init("0", "unlimited"), "honour"),
    level: "warning",
    text: /refused/,
  },
  { on: "1", got: checkRlimit(init("1", "1"), "ignore"), level: "problem", text: /calls no handler/ },
  { on: "no /proc/1/limits", got: checkRlimit(undefined, "ignore"), level: "warning", text: /cannot be read/ },
]);

test("checkSelinux() is silent where nothing is enforced", () => {
  assert.deepEqual(checkSelinux({ enforce: undefined, label: undefined }, BINARY), []);
  assert.deepEqual(checkSelinux({ enforce: "0\n", label: undefined }, BINARY), []);
});
const selinux = (label?: string) => checkSelinux({ enforce: "1\n", label }, BINARY);
cases("checkSelinux", [
  { on: "bin_t", got: selinux("system_u:object_r:bin_t:s0"), level: "ok", text: /bin_t/ },
  {
    on: "another type",
    got: selinux("unconfined_u:object_r:default_t:s0"),
    level: "warning",
    text: /default_t/,
    hint: /semanage fcontext/,
  },
  { on: "no label", got: selinux(), level: "warning", text: /cannot be read/ },
]);

const good: HandlerReading = {
  path: BINARY,
  file: { isFile: true, mode: 0o755, uid: 0 },
  weakSpot: undefined,
  noexec: undefined,
  started: { version: "1.0.0", startMs: 24 },
};
const handler = (change: Partial<HandlerReading>) => checkHandler({ ...good, ...change }, "1.0.0");
cases("checkHandler", [
  { on: "one in order", got: handler({}), level: "ok", text: /1\.0\.0 \(starts here in 24 ms\)/ },
  {
    on: "no file",
    got: handler({ file: undefined, started: undefined }),
    level: "problem",
    text: /no such file: every dump is lost/,
  },
  {
    on: "a directory",
    got: handler({ file: { isFile: false, mode: 0o755, uid: 0 } }),
    level: "problem",
    text: /not a file/,
  },
  {
    on: "no right to execute",
    got: handler({ file: { isFile: true, mode: 0o644, uid: 0 } }),
    level: "problem",
    text: /not executable/,
  },
  {
    on: "a way that others can write",
    got: handler({ weakSpot: "/opt can be written by others" }),
    level: "problem",
    text: /can run code as root/,
  },
  { on: "noexec", got: handler({ noexec: "/coredump" }), level: "problem", text: /\/coredump is mounted noexec/ },
  {
    on: "a missing library",
    got: handler({ started: { failed: "Cannot start it: libatomic.so.1", hint: "Take the other build" } }),
    level: "problem",
    text: /libatomic/,
    hint: /^Take the other build$/,
  },
  {
    on: "another version",
    got: handler({ started: { version: "0.9", startMs: 1 } }),
    level: "warning",
    text: /0\.9 .*; this is 1\.0\.0/,
  },
]);

const CONTAINERD = "/run/containerd/containerd.sock";
cases("checkEngines", [
  {
    on: "one that answers",
    got: checkEngines([{ address: CONTAINERD, failure: undefined }]),
    level: "ok",
    text: /reachable/,
  },
  {
    on: "EACCES",
    got: checkEngines([{ address: CONTAINERD, failure: "EACCES" }]),
    level: "problem",
    text: /permission denied/,
    hint: /state files only; run as root/,
  },
  {
    on: "ECONNREFUSED",
    got: checkEngines([{ address: CONTAINERD, failure: "ECONNREFUSED" }]),
    level: "problem",
    text: /nothing listens/,
  },
  {
    on: "an errno without words",
    got: checkEngines([{ address: CONTAINERD, failure: "EIO" }]),
    level: "problem",
    text: /EIO/,
  },
  { on: "none", got: checkEngines([]), level: "warning", text: /no engine's socket/ },
]);

test("checkEngines() names each engine by its socket", () => {
  const addresses = [
    CONTAINERD,
    "/run/crio/crio.sock",
    "/run/docker.sock",
    "/run/cri-dockerd.sock",
    "tcp://10.0.0.1:2375",
  ];
  const names = checkEngines(addresses.map((address) => ({ address, failure: undefined }))).map(({ what }) => what);
  assert.deepEqual(names, ["containerd", "crio", "docker", "cri-dockerd", "engine"]);
});

const GIB = 1n << 30n;
const cache = (change: object = {}): CacheReading => ({
  dir: "/var/coredump",
  mode: 0o700,
  dumps: 12,
  takenBytes: 3n * GIB,
  maxCacheBytes: 20n * GIB,
  freeBytes: 61n * GIB,
  minFreeBytes: 15n * GIB,
  ...change,
});
cases("checkCache", [
  {
    on: "root's, asked by another",
    got: checkCache({ dir: "/x", hidden: true }),
    level: "warning",
    text: /only root/,
    hint: /as root/,
  },
  {
    on: "one in order",
    got: checkCache(cache()),
    level: "ok",
    text: /^\/var\/coredump: 12 dumps, 3 GiB of 20 GiB; 61 GiB free$/,
  },
  {
    on: "none yet",
    got: checkCache({ dir: "/var/coredump", absent: true }),
    level: "ok",
    text: /the first dump makes it/,
  },
  {
    on: "a mode that lets others look",
    got: checkCache(cache({ mode: 0o755 })),
    level: "warning",
    text: /0755/,
    hint: /chmod 0700/,
  },
  {
    on: "a full disk",
    got: checkCache(cache({ freeBytes: GIB })),
    level: "problem",
    text: /1 GiB free/,
    hint: /refused below 15 GiB/,
  },
  {
    on: "one that cannot be opened",
    got: checkCache({ dir: "/x", unusable: "Cannot open the cache /x: read-only" }),
    level: "problem",
    text: /read-only/,
  },
]);

const lost = (cause: KernelRefusal["cause"], seq: number): KernelRefusal => ({
  seq,
  uptimeUsec: 1,
  time: new Date(60_000),
  pid: 7,
  hostPid: null,
  comm: "nginx",
  cause,
  text: "",
});
const log = (refusals: KernelRefusal[], incomplete = false) =>
  checkLost({ refusals, incomplete }, "", new Date(120_000));
cases("checkLost", [
  { on: "none", got: log([]), level: "ok", text: /^none since boot/ },
  { on: "none in an incomplete log", got: log([], true), level: "ok", text: /what is left of/ },
  {
    on: "some, which may not be all",
    got: log([lost("pipe-limit", 1), lost("exec-failed", 2), lost("pipe-limit", 3)]),
    level: "warning",
    text: /^at least 3 since boot: 2 × too many at once, 1 × the handler could not be started; the last 1m ago: nginx \(pid 7/,
    hint: /core_pipe_limit/,
  },
  { on: "a log that cannot be read", got: checkLost(undefined, "EPERM", new Date()), level: "warning", text: /EPERM/ },
]);

const SYSTEMD = {
  path: "/usr/lib/sysctl.d/50-coredump.conf",
  text: "kernel.core_pattern=|/usr/lib/systemd/systemd-coredump %P\n",
};
const MINE = { path: "/etc/sysctl.d/99-coredump-detector.conf", text: `kernel.core_pattern = ${OURS}\n` };
const boot = (change: Partial<BootReading>) =>
  checkBoot({ systemd: true, unitEnabled: true, sysctls: [MINE, SYSTEMD], ...change }, PLACES);
cases("checkBoot", [
  {
    on: "unit and sysctl.d",
    got: boot({}),
    level: "ok",
    text: /enabled, \/etc\/sysctl\.d\/99-coredump-detector\.conf/,
  },
  {
    on: "no systemd",
    got: boot({ systemd: false }),
    level: "warning",
    text: /no systemd/,
    hint: /install --pattern-only/,
  },
  {
    on: "a file behind ours",
    got: boot({ sysctls: [MINE, { path: "/etc/sysctl.d/99-local.conf", text: "kernel/core_pattern=core" }] }),
    level: "warning",
    text: /but \/etc\/sysctl\.d\/99-local\.conf sets core_pattern to core/,
  },
  {
    on: "systemd's file alone",
    got: boot({ unitEnabled: false, sysctls: [SYSTEMD] }),
    level: "warning",
    text: /after a reboot the pattern is not ours/,
  },
  { on: "a unit that is not enabled", got: boot({ unitEnabled: false }), level: "warning", text: /not enabled/ },
  { on: "a unit alone", got: boot({ sysctls: [] }), level: "warning", text: /no sysctl\.d file sets ours/ },
]);

test("lastWord() goes by the files' names, whatever their directory; a name hides the same one further behind", () => {
  const of = (...files: [path: string, text: string][]) =>
    lastWord(
      files.map(([path, text]) => ({ path, text })),
      "kernel.core_pattern",
    )?.value;
  assert.equal(
    of(
      ["/etc/sysctl.d/50-coredump-detector.conf", "kernel.core_pattern=a"],
      ["/usr/lib/sysctl.d/50-coredump.conf", "kernel.core_pattern=b"],
    ),
    "b",
  );
  assert.equal(
    of(["/etc/sysctl.d/50-coredump.conf", ""], ["/usr/lib/sysctl.d/50-coredump.conf", "kernel.core_pattern=b"]),
    undefined,
  );
  assert.equal(
    of([
      "/a/1.conf",
      "# kernel.core_pattern=x\n; kernel.core_pattern=y\n -kernel/core_pattern = z \nkernel.core_pipe_limit=1\n",
    ]),
    "z",
  );
  assert.equal(of(["/a/1.conf", "kernel.core_pattern=|/x -P=%P"]), "|/x -P=%P"); // only the first = parts name and value
});
