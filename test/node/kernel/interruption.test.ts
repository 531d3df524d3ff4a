import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { before, cgroupsIn, stoppedBy } from "../../../src/node/kernel/interruption.ts";
import { ProcDirectory } from "../../../src/system/proc.ts";
import { tempDir } from "../../support/tmp.ts";

const CALM = "State:\tS (sleeping)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n";
const KILLED = CALM.replace("ShdPnd:\t0000000000000000", "ShdPnd:\t0000000000000100");

const cases: readonly {
  on: string;
  status?: string;
  files?: Record<string, string>;
  kills?: number;
  want: RegExp | undefined;
}[] = [
  { on: "nothing that is known", status: CALM, want: undefined },
  {
    on: "another signal that waits",
    status: CALM.replace("SigPnd:\t0000000000000000", "SigPnd:\t0000000000004000"),
    want: undefined,
  },
  { on: "SIGKILL", status: KILLED, want: /^SIGKILL came while it dumped/ },
  {
    on: "SIGKILL to the thread",
    status: CALM.replace("SigPnd:\t0000000000000000", "SigPnd:\t0000000000000100"),
    want: /^SIGKILL/,
  },
  { on: "SIGKILL, and it is a zombie", status: CALM.replace("S (sleeping)", "Z (zombie)"), want: /^SIGKILL/ },
  { on: "SIGKILL, and it is gone", want: /^SIGKILL/ },
  {
    on: "the OOM killer, v2",
    status: KILLED,
    files: { "memory.events": "low 0\noom 1\noom_kill 3\n" },
    kills: 2,
    want: /OOM killer/,
  },
  {
    on: "the OOM killer, v1",
    status: KILLED,
    files: { "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n" },
    want: /OOM killer/,
  },
  {
    on: "SIGKILL after an earlier kill",
    status: KILLED,
    files: { "memory.events": "oom_kill 3\n" },
    kills: 3,
    want: /^SIGKILL/,
  },
  { on: "the freezer, v2, not all stopped yet", status: CALM, files: { "cgroup.freeze": "1\n" }, want: /frozen/ },
  { on: "the freezer, v2", status: CALM, files: { "cgroup.events": "populated 1\nfrozen 1\n" }, want: /frozen/ },
  { on: "the freezer, v1", status: CALM, files: { "freezer.state": "FREEZING\n" }, want: /frozen/ },
  {
    on: "a cgroup that was thawed",
    status: CALM,
    files: { "cgroup.freeze": "0\n", "cgroup.events": "frozen 0\n", "freezer.state": "THAWED\n" },
    want: undefined,
  },
];
for (const { on, status, files = {}, kills = 0, want } of cases) {
  test(`stoppedBy() names ${on}`, () => {
    using dir = tempDir();
    mkdirSync(join(dir.path, "7"));
    if (status !== undefined) writeFileSync(join(dir.path, "7/status"), status);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir.path, name), text);
    using thread = new ProcDirectory(join(dir.path, "7"));
    const words = stoppedBy(thread, { cgroups: [dir.path, "/nowhere"], oomKills: kills, otherOf: undefined });
    if (want === undefined) assert.equal(words, undefined);
    else assert.match(words ?? "", want);
  });
}

test("cgroupsIn() finds the directories that tell of memory and freezing, and throws at nothing", () => {
  const file = Buffer.from("9:name=systemd:/a\n6:freezer:/f\n4:memory:/m\n1:cpu:/c\n0::/two\n");
  assert.deepEqual(cgroupsIn(file, "/r"), ["/r/freezer/f", "/r/memory/m", "/r/two", "/r/unified/two"]);
  assert.deepEqual(cgroupsIn(undefined), []);
});

/** Processes of the container's pid namespace when one of them was killed: number in it, and flags of `stat`. */
const namespaces: readonly { on: string; others: readonly [number, number][]; self?: string; want: RegExp }[] = [
  { on: "that the first process had ended", others: [[12, 0]], want: /first process had ended/ },
  { on: "that the first process is ending", others: [[1, 0x4]], want: /first process had ended/ },
  { on: "a process killed alone", others: [[1, 0x400100]], want: /or another process sent it/ },
  { on: "the first process killed", others: [], self: "NSpid:\t7\t1\n", want: /or another process sent it/ },
  { on: "a process of the host killed", others: [], self: "NSpid:\t7\n", want: /or another process sent it/ },
];
for (const { on, others, self = "NSpid:\t7\t5\n", want } of namespaces) {
  test(`stoppedBy() tells ${on}`, () => {
    using dir = tempDir();
    for (const [at, [pid, flags]] of [[0, 0], [1, 0], ...others].entries()) {
      const path = join(dir.path, `${100 + at}`);
      mkdirSync(join(path, "ns"), { recursive: true });
      symlinkSync(at < 2 ? "pid:[1]" : "pid:[2]", join(path, "ns/pid"));
      writeFileSync(join(path, "status"), `NSpid:\t${100 + at}\t${pid}\n`);
      writeFileSync(join(path, "stat"), `${100 + at} (a) S 1 1 1 0 -1 ${flags} 0 0\n`);
    }
    mkdirSync(join(dir.path, "7"));
    using thread = new ProcDirectory(join(dir.path, "7"));
    const was = before(undefined, Buffer.from(self), Buffer.from("pid:[2]"), "/nowhere");
    assert.match(stoppedBy(thread, was, dir.path) ?? "", want);
    assert.match(stoppedBy(thread, was, "/nowhere") ?? "", /or another process sent it/); // cannot be known
  });
}
