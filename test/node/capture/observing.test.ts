import assert from "node:assert/strict";
import { test } from "node:test";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import { type Crash, handled, QUICK } from "../../roles/worlds.ts";

const seen: readonly { on: string; crash?: Crash; want: Partial<DumpRecord> }[] = [
  {
    on: "all there is",
    want: {
      ...{ hostPid: 7, containerPid: 1, executable: "web", exe: "/usr/bin/web", comm: "web", threadName: "worker" },
      ...{
        processUid: 1000,
        processGid: 100,
        dumpable: 1,
        uptimeMs: 60_500,
        hostname: "c0ffee",
        node: "node-1",
        owner: "docker",
      },
      warnings: [],
    },
  },
  {
    on: "an executable that was deleted",
    crash: { exe: "/opt/x y (deleted)" },
    want: {
      ...{ exe: "/opt/x y", executable: "x y" },
      warnings: ["its executable was replaced or deleted while it ran: what is at its path now is another file"],
    },
  },
  {
    on: "memory that its coredump_filter left out",
    crash: { proc: { coredump_filter: "00000032\n" } },
    want: {
      warnings: ["its coredump_filter 0x32 left out private anonymous memory: the core is as the process wanted it"],
    },
  },
  { on: "an executable called by other bytes", crash: { exe: "/x/\x1b[31m\n" }, want: { executable: "\x1b[31m\n" } },
  {
    on: "a comm that is not UTF-8",
    crash: { proc: { comm: Buffer.from("a\xff\n", "latin1") } },
    want: { comm: "a\\xff" },
  },
  {
    on: "the predecessor's arguments alone: ids, limits and pids out of /proc",
    crash: {
      call: { containerPid: undefined, uid: undefined, gid: undefined, signal: undefined, threadName: undefined },
    },
    want: { containerPid: 1, processUid: 1000, processGid: 100, threadName: null },
  },
  {
    on: "a process that changed its ids, where %d does not say so",
    crash: {
      call: { dumpable: undefined, uid: undefined },
      proc: { status: "Uid:\t1000\t0\t0\t0\nGid:\t100\t100\t100\t100\nCoreDumping:\t1\n" },
    },
    want: { dumpable: 2, state: "Restricted" },
  },
  {
    on: "arguments that the kernel did not give",
    crash: { problems: ["argument ignored: x"] },
    want: { warnings: ["argument ignored: x"] },
  },
  { on: "a time", crash: { call: { time: 1784000000 } }, want: { dumptime: "2026-07-14T03:33:20.000Z" } },
  { on: "an empty limit", crash: { call: { coreLimit: "" } }, want: { coreLimit: null } },
];
for (const { on, crash, want } of seen) {
  test(`the record tells of ${on}`, async () => {
    using done = await handled(crash);
    assert.deepEqual({ ...done.record, ...want }, done.record);
    assert.equal(done.exitCode, 0);
  });
}

test("a time that is no date is not the dump's, and costs no core", async () => {
  using done = await handled({ call: { time: 999_999_999_999_999 } });
  assert.equal(done.record.core.complete, true);
  assert.ok(Math.abs(Date.parse(done.record.dumptime) - performance.timeOrigin) < 1000);
});

const unseen: readonly { on: string; crash: Crash; problem: RegExp }[] = [
  { on: "the process is gone", crash: { call: { hostPid: 8 } }, problem: /the process is gone/ },
  { on: "the pid is another process's by now", crash: { call: { uid: 0 } }, problem: /uid is not 0/ },
  { on: "its cgroup cannot be read", crash: { proc: { cgroup: undefined } }, problem: /cgroup cannot be read/ },
  {
    on: "looking at the state files throws",
    crash: {
      quickly: () => {
        throw new DumpError("RUNTIME_ANSWER_INVALID", "Cannot read the state: nonsense");
      },
    },
    problem: /nonsense/,
  },
];
for (const { on, crash, problem } of unseen) {
  test(`the core is kept, and nothing is said of whose it is, when ${on}`, async () => {
    using done = await handled({
      ...crash,
      world: { identify: { quickly: crash.quickly ?? (() => QUICK), byApi: async (quick) => quick } },
    });
    const { core, owner, state } = done.record;
    assert.deepEqual([core.complete, owner, state], [true, "unknown", "Captured"]);
    assert.match(JSON.stringify([done.record.identity.problem, done.record.warnings]), problem);
  });
}
