/** The test bed itself: what the other tests stand on. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { type Cgroups, CRI_KINDS, type EngineKind, startEngine } from "../../support/engines.ts";
import { kernelSettings, leftSince, traces } from "../../support/leftovers.ts";
import { program, TESTBED, TESTBED_COMMAND } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tee } from "../../support/tee.ts";
import { tempDir, tempFileSystem } from "../../support/tmp.ts";

const exec = promisify(execFile);
const skip = needs("root", "testbed", "command:gdb");
const ARGUMENTS = "-P=%P -p=%p -F=%F";
const PATTERN = "/proc/sys/kernel/core_pattern";

/** End of the last segment that the program headers promise. */
function expectedBytes(core: Buffer): bigint {
  let end = 0n;
  const [offset, size, count] = [Number(core.readBigUInt64LE(32)), core.readUInt16LE(54), core.readUInt16LE(56)];
  for (let at = offset; at < offset + size * count; at += size) {
    const segmentEnd = core.readBigUInt64LE(at + 8) + core.readBigUInt64LE(at + 32);
    if (segmentEnd > end) end = segmentEnd;
  }
  return end;
}

const cases: { kind: EngineKind; cgroups: Cgroups; cgroup: string }[] = [
  { kind: "containerd-1.6", cgroups: "cgroupfs", cgroup: "/kubepods/besteffort/pod<pod>/<id>" },
  { kind: "containerd-2", cgroups: "cgroupfs", cgroup: "/kubepods/besteffort/pod<pod>/<id>" },
  { kind: "docker", cgroups: "cgroupfs", cgroup: "/docker/<id>" },
  { kind: "containerd-2", cgroups: "systemd", cgroup: "-pod<p_o_d>.slice/cri-containerd-<id>.scope" },
  { kind: "docker", cgroups: "systemd", cgroup: "/system.slice/docker-<id>.scope" },
  { kind: "containerd-2", cgroups: "v2", cgroup: "0::/kubepods/besteffort/pod<pod>/<id>" },
];
for (const { kind, cgroups, cgroup } of cases) {
  test(`startEngine() runs ${kind}, cgroups ${cgroups}: a crash leaves a whole core`, { skip }, async () => {
    using copy = tempDir();
    using cat = tee(["/bin/sh", "-c", `cat > ${copy.path}/core`]);
    await using engine = await startEngine(kind, cgroups);
    const ran = await withPattern(cat.pattern(ARGUMENTS), () =>
      engine.run({ command: ["/bin/crash", "4", "2"], uid: 1000 }),
    );
    assert.equal(ran.exitCode, 139);

    const [seen] = await cat.crashes(1);
    assert.ok(seen);
    assert.equal(seen.exitStatus, 0, seen.stderr);
    const path = cgroup.replace("<id>", ran.id).replace("<pod>", `${ran.podUid}`);
    assert.ok(seen.cgroup.includes(`${path.replace("<p_o_d>", `${ran.podUid?.replaceAll("-", "_")}`)}\n`), seen.cgroup);
    const core = readFileSync(seen.core);
    assert.equal(BigInt(core.length), expectedBytes(core));
    assert.ok(core.equals(readFileSync(`${copy.path}/core`)));
    const { stdout: backtrace } = await exec("gdb", ["-batch", "-ex", "bt", program("crash"), seen.core]);
    assert.match(backtrace, /^#0 +crash_here \(/m);
  });
}

for (const kind of CRI_KINDS) {
  test(`Cri.runPod() makes two pods of one name, of either host namespace, in ${kind}`, { skip }, async () => {
    await using engine = await startEngine(kind);
    const { cri } = engine;
    const label = { "coredump.fujitsu.com/no-coredump": "true" };
    const first = await cri.runPod({ pod: "twin", podLabels: label, hostNetwork: false });
    const second = await cri.runPod({ pod: "twin", namespace: "other", hostPid: true });
    const pods = (await cri.call("ListPodSandbox")).items;
    assert.deepEqual(new Set(pods.map((pod: { id: string }) => pod.id)), new Set([first.id, second.id]));
    assert.equal(
      pods.find((pod: { id: string }) => pod.id === first.id).labels["coredump.fujitsu.com/no-coredump"],
      "true",
    );
    for (const pod of [first, second]) {
      const id = await cri.runContainer(pod, { container: "init", command: ["/bin/sh", "-c", "exit 7"] });
      assert.equal((await cri.exit(id)).exitCode, 7);
      await cri.removePod(pod);
    }
    assert.match((await cri.image())?.id ?? "", /^sha256:/);
  });
}

test("tee() lets the process go when its handler stops reading, and has the whole core", { skip }, async () => {
  using early = tee(["/bin/sh", "-c", `head -c 64; echo ended early >&2; exit 3`]);
  await withPattern(early.pattern(ARGUMENTS), () => exec(program("crash"), ["4"]).catch(() => {}));
  const [seen] = await early.crashes(1);
  assert.ok(seen);
  assert.deepEqual({ status: seen.exitStatus, stderr: seen.stderr }, { status: 3, stderr: "ended early\n" });
  assert.deepEqual(seen.args, [`-P=${seen.pid}`, `-p=${seen.pid}`, "-F=3"]);
  const core = readFileSync(seen.core);
  assert.equal(BigInt(core.length), expectedBytes(core));
});

test("reaper prints the seconds from the signal to the end of the crash", { skip }, async () => {
  using cat = tee(["/bin/cat"]);
  const { stdout } = await withPattern(cat.pattern(ARGUMENTS), () =>
    exec(program("reaper"), [program("crash"), "-w", "8"]),
  );
  assert.match(stdout, /^\d+\.\d{6}\n$/);
  await cat.crashes(1);
});

test("holdPattern() gives the former values back when its user is killed", { skip }, async () => {
  const before = kernelSettings();
  const script = `import { holdPattern } from "${import.meta.dirname}/../../support/pattern.ts";
    await holdPattern("|/bin/true of a user that is killed", { limit: 7, suidDumpable: 2 });
    console.log("held"); setInterval(() => {}, 1000);`;
  const user = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  await once(user.stdout, "data");
  assert.equal(readFileSync(PATTERN, "utf8"), "|/bin/true of a user that is killed\n");
  user.kill("SIGKILL");
  assert.deepEqual(kernelSettings(), before);
});

test("testbed pattern restores, when the command ends and when it is stopped", { skip }, async () => {
  const before = kernelSettings();
  await exec(TESTBED_COMMAND, [
    "pattern",
    "-l",
    "5",
    "|/bin/true",
    "grep",
    "-q",
    "^5$",
    "/proc/sys/kernel/core_pipe_limit",
  ]);
  const stopped = spawn(TESTBED_COMMAND, ["pattern", "|/bin/true", "sh", "-c", "echo started; exec sleep 1000"]);
  await once(stopped.stdout, "data");
  stopped.kill("SIGTERM");
  await once(stopped, "close");
  assert.deepEqual(kernelSettings(), before);
});

test("testbed reap stops what was started by a process that is gone", { skip }, async () => {
  const before = traces();
  const script = `import { startEngine } from "${import.meta.dirname}/../../support/engines.ts";
    const engine = await startEngine("containerd-2");
    const pod = await engine.cri.runPod();
    await engine.cri.runContainer(pod, { command: ["/bin/sleep", "1000"] });
    console.log(engine.folder); setInterval(() => {}, 1000);`;
  const starter = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [folder] = await once(starter.stdout.setEncoding("utf8"), "data");
  assert.ok(existsSync(folder.trim()) && folder.startsWith(TESTBED));
  starter.kill("SIGKILL");
  await once(starter, "close");
  await exec(TESTBED_COMMAND, ["reap"]);
  assert.ok(!existsSync(folder.trim()));
  assert.deepEqual(await leftSince(before), []);
});

test("tempFileSystem() can be full", { skip }, () => {
  using small = tempFileSystem(1n << 20n);
  assert.throws(() => writeFileSync(`${small.path}/file`, Buffer.alloc(2 << 20)), { code: "ENOSPC" });
});
