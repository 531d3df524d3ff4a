import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cgroupsIn, oomKills, stoppedBy } from "../../src/kernel/interruption.ts";
import { ProcDirectory } from "../../src/system/proc.ts";
import { tempDir } from "../support/tmp.ts";

const CALM = "State:\tS (sleeping)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n";
const KILLED = CALM.replace("ShdPnd:\t0000000000000000", "ShdPnd:\t0000000000000100");

const cases: readonly {
  on: string;
  status?: string;
  files?: Record<string, string>;
  before?: number;
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
    before: 2,
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
    before: 3,
    want: /^SIGKILL/,
  },
  { on: "the freezer, v2", status: CALM, files: { "cgroup.events": "populated 1\nfrozen 1\n" }, want: /frozen/ },
  { on: "the freezer, v1", status: CALM, files: { "freezer.state": "FREEZING\n" }, want: /frozen/ },
  {
    on: "a cgroup that was thawed",
    status: CALM,
    files: { "cgroup.events": "frozen 0\n", "freezer.state": "THAWED\n" },
    want: undefined,
  },
];
for (const { on, status, files = {}, before = 0, want } of cases) {
  test(`stoppedBy() names ${on}`, () => {
    using dir = tempDir();
    mkdirSync(join(dir.path, "7"));
    if (status !== undefined) writeFileSync(join(dir.path, "7/status"), status);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir.path, name), text);
    using thread = new ProcDirectory(join(dir.path, "7"));
    const words = stoppedBy(thread, [dir.path, "/nowhere"], before);
    if (want === undefined) assert.equal(words, undefined);
    else assert.match(words ?? "", want);
  });
}

test("cgroupsIn() finds the directories that tell of memory and freezing, and throws at nothing", () => {
  const file = Buffer.from("9:name=systemd:/a\n6:freezer:/f\n4:memory:/m\n1:cpu:/c\n0::/two\n");
  assert.deepEqual(cgroupsIn(file, "/r"), ["/r/freezer/f", "/r/memory/m", "/r/two", "/r/unified/two"]);
  assert.deepEqual(cgroupsIn(undefined), []);
  assert.equal(oomKills(["/nowhere"]), 0);
});
