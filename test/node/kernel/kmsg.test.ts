import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { collect, parseKmsg, type RefusalCause } from "../../../src/node/kernel/kmsg.ts";

const parse = (prio: number, text: string) => parseKmsg(`${prio},408,2086998857,-;${text}\n SUBSYSTEM=x\n`, 1000);

interface Case {
  text: string;
  cause: RefusalCause;
  pid: number | null;
  comm: string | null;
}

/** Seen under 6.18 or read in fs/coredump.c of the versions named. */
const kernelLines: Case[] = [
  { text: "coredump: 10020(bash): |/nowhere/handler pipe failed", cause: "exec-failed", pid: 10020, comm: "bash" },
  { text: "coredump: 7(a): over core_pipe_limit, skipping core dump", cause: "pipe-limit", pid: 7, comm: "a" },
  { text: "coredump: 7(a): RLIMIT_CORE is set to 1, aborting core", cause: "rlimit-1", pid: 7, comm: "a" },
  { text: "coredump: 7(a): Core dump to |/coredump/x disabled", cause: "exec-failed", pid: 7, comm: "a" },
  { text: "coredump: 7(a): format_corename failed, aborting core", cause: "bad-pattern", pid: 7, comm: "a" },
  { text: "coredump: 7(a): Coredump socket connection /x failed -2", cause: "socket", pid: 7, comm: "a" },
  { text: "coredump: 7(a): Coredump socket /x receive queue full", cause: "socket", pid: 7, comm: "a" },
  { text: "coredump: 7(a): do_coredump failed to allocate memory", cause: "no-memory", pid: 7, comm: "a" },
  { text: "coredump: 7(): over core_pipe_limit, skipping core dump", cause: "pipe-limit", pid: 7, comm: "" },
  // The comm `a) "\n ESC \xff b \x): o`, as the kernel and then the log escaped it.
  {
    text: 'coredump: 10138(a) "\\x5cn\\x5ce\\xffb\\x5cx): o): over core_pipe_limit, skipping core dump',
    cause: "pipe-limit",
    pid: 10138,
    comm: 'a) "\\n\\e\\xffb\\x): o',
  },
  // Before 6.12.
  { text: "Pid 12(a b) over core_pipe_limit", cause: "pipe-limit", pid: 12, comm: "a b" },
  { text: "Process 12(a) has RLIMIT_CORE set to 1", cause: "rlimit-1", pid: 12, comm: "a" },
  { text: "Core dump to |/coredump/coredump-detector pipe failed", cause: "exec-failed", pid: null, comm: null },
  { text: "Core dump to |/x disabled", cause: "exec-failed", pid: null, comm: null },
  { text: "Pid 12(a) can only dump core to fully qualified path!", cause: "file", pid: 12, comm: "a" },
  { text: "Core dump to core.7 aborted: cannot preserve file owner", cause: "file", pid: null, comm: null },
];
for (const { text, cause, pid, comm } of kernelLines) {
  test(`parseKmsg() reads ${cause} out of ${JSON.stringify(text)}`, () => {
    const found = parse(4, text);
    assert.deepEqual([found?.cause, found?.pid, found?.comm], [cause, pid, comm]);
    assert.deepEqual([found?.seq, found?.uptimeUsec, found?.time.getTime()], [408, 2086998857, 2087998]);
  });
}

const noLoss = [
  "crash[4231]: segfault at dead ip 00000000004016fb sp 00007ffdd434a508 error 6 in crash[16fb,401000+8c000]",
  "coredump: 4550(sh): Unsafe core_pattern used with fs.suid_dumpable=2: pipe handler or fully qualified core dump path required.",
  "Skipping core dump", // the second line of a pair before 6.12
  "Aborting core",
  "coredump: x(a): over core_pipe_limit",
];
for (const text of noLoss)
  test(`parseKmsg() takes no lost dump from ${JSON.stringify(text)}`, () => assert.equal(parse(4, text), undefined));

test("parseKmsg() believes the kernel's lines only from the kernel", () => {
  // A process that writes to /dev/kmsg gets facility 1 (user) at the least: prio 8 and more.
  assert.equal(parse(12, "coredump: 7(a): over core_pipe_limit, skipping core dump"), undefined);
  assert.equal(parse(4, "coredump-detector: lost dump of pid 4711 (a b): no room"), undefined);
});

test("parseKmsg() reads the handler's own lines", () => {
  const found = parse(12, "coredump-detector: lost dump of pid 4711 (a): b): no room: 7 bytes");
  assert.deepEqual([found?.hostPid, found?.pid, found?.comm, found?.cause], [4711, null, "a): b", "handler"]);
  assert.equal(parse(12, "coredump-detector: lost dump: out of memory")?.text, "out of memory");
  assert.equal(parse(12, "coredump-detector: lost dump of an unknown process: no pid")?.hostPid, null);
});

test("parseKmsg() gives bytes that are not UTF-8 as escapes, and valid ones as text", () => {
  assert.equal(parse(4, "coredump: 7(\\xc3\\xbc\\xff): over core_pipe_limit")?.comm, "ü\\xff");
});

test("collect() says when lines were left out or overwritten", () => {
  const of = (...records: (string | { overwritten: true })[]) => collect(() => records.shift(), 0);
  assert.deepEqual(of(), { refusals: [], incomplete: false });
  assert.equal(of("4,1,1,-;do_coredump: 5 callbacks suppressed\n").incomplete, true);
  assert.equal(of("4,1,1,-;net_ratelimit: 5 callbacks suppressed\n").incomplete, false);
  assert.equal(of({ overwritten: true }, "4,1,1,-;Pid 1(a) over core_pipe_limit\n").refusals.length, 1);
  assert.equal(of({ overwritten: true }).incomplete, true);
});

test("parseKmsg() never throws, and never takes longer than it must", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary", maxLength: 2048 }),
    fc.string({ maxLength: 200 }).map((text) => `4,1,1,-;coredump: 7(${text}): ${text}`),
    fc.integer({ min: 1, max: 700 }).map((count) => `4,1,1,-;coredump: 1(${"): ".repeat(count)}`),
  );
  fc.assert(fc.property(hostile, (record) => void parseKmsg(record, 0)));
});
