import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { KernelArguments } from "../../../src/config/options.ts";
import { openCrashedProcess } from "../../../src/node/kernel/crashed-process.ts";
import { namesOfListed, threadNames } from "../../../src/node/kernel/threads.ts";
import { ProcDirectory, readUpTo, startTicks, statFields, statusField } from "../../../src/system/proc.ts";
import { tempDir } from "../../support/tmp.ts";
import { stopped } from "./streams.ts";

const STATUS =
  "Name:\tx\nUmask:\t0022\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\nNSpid:\t7\t3\nCoreDumping:\t1\n";
const STAT = `7 (a b) (c) S 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 123456 0 0`;
const FILES = {
  status: STATUS,
  stat: STAT,
  comm: "a b\n",
  cgroup: "0::/x\n",
  hostname: "web-0\n",
  environ: "SECRET=1",
};
const CALL: KernelArguments & { hostPid: number } = { hostPid: 7, uid: 1000, gid: 100 };

/** A /proc of one process, of these files; undefined leaves one out. */
function fakeProc(files: Readonly<Record<string, string | Uint8Array | undefined>> = {}) {
  const dir = tempDir();
  for (const [name, content] of Object.entries({ ...FILES, ...files })) {
    const path = join(dir.path, "7", name);
    mkdirSync(dirname(path), { recursive: true });
    if (content !== undefined) writeFileSync(path, content);
  }
  symlinkSync("/usr/bin/x (deleted)", join(dir.path, "7/exe"));
  return { proc: dir.path, [Symbol.dispose]: () => dir[Symbol.dispose]() };
}

test("openCrashedProcess() reads the facts, links as what they point to, and no environment unasked", () => {
  using fake = fakeProc();
  using process = openCrashedProcess(CALL, false, fake.proc);
  assert.deepEqual([...process.facts.keys()].sort(), ["cgroup", "comm", "exe", "stat", "status"]);
  assert.equal(process.facts.get("exe")?.toString(), "/usr/bin/x (deleted)");
  assert.equal(process.hostname, "web-0");
  assert.ok(process.unchanged());
  using asked = openCrashedProcess(CALL, true, fake.proc);
  assert.equal(asked.facts.get("environ")?.toString(), "SECRET=1");
});

test("openCrashedProcess() reads what needs memory from the thread that crashed: the leader may have gone", () => {
  using fake = fakeProc({
    cmdline: "",
    maps: "",
    "task/9/cmdline": "x\0",
    "task/9/maps": "map",
    "task/9/comm": "worker\n",
  });
  using process = openCrashedProcess({ ...CALL, hostTid: 9 }, false, fake.proc);
  assert.deepEqual(
    ["cmdline", "maps", "comm"].map((name) => process.facts.get(name)?.toString()),
    ["x\0", "map", "a b\n"],
  );
  assert.deepEqual([process.pid, process.memory.read("comm")?.toString()], [9, "worker\n"]);
  using other = openCrashedProcess({ ...CALL, hostTid: 10 }, false, fake.proc); // no such thread
  assert.deepEqual([other.pid, other.memory], [7, other.main]);
});

const mismatches: readonly {
  on: string;
  files?: Record<string, string | undefined>;
  call?: Partial<Omit<KernelArguments, "hostPid">>;
  why: RegExp;
}[] = [
  { on: "no status", files: { status: undefined }, why: /status cannot be read/ },
  { on: "no stat", files: { stat: undefined }, why: /status cannot be read/ },
  { on: "a stat that is none", files: { stat: "7 (x" }, why: /status cannot be read/ },
  {
    on: "a process that is not dumping",
    files: { status: STATUS.replace("CoreDumping:\t1", "CoreDumping:\t0") },
    why: /not dumping/,
  },
  { on: "another real uid", call: { uid: 0 }, why: /uid is not 0/ },
  { on: "another real gid", call: { gid: 0 }, why: /gid is not 0/ },
];
for (const { on, files, call, why } of mismatches) {
  test(`openCrashedProcess() trusts nothing of ${on}`, () => {
    using fake = fakeProc(files);
    const before = readdirSync("/proc/self/fd").length;
    assert.throws(() => openCrashedProcess({ ...CALL, ...call }, false, fake.proc), {
      code: "PROCESS_MISMATCH",
      message: why,
    });
    assert.equal(readdirSync("/proc/self/fd").length, before, "no descriptor is left");
  });
}

test("openCrashedProcess() compares what there is: old kernels say neither ids nor CoreDumping", () => {
  using fake = fakeProc({ status: "Name:\tx\n" });
  using process = openCrashedProcess({ hostPid: 7, uid: 1000 }, false, fake.proc);
  assert.ok(process.unchanged());
});

test("openCrashedProcess() says that a process is gone", () => {
  using fake = fakeProc();
  assert.throws(() => openCrashedProcess({ hostPid: 8 }, false, fake.proc), { code: "PROCESS_GONE" });
  symlinkSync("7", join(fake.proc, "8"));
  assert.throws(() => openCrashedProcess({ hostPid: 8 }, false, fake.proc), { code: "PROCESS_GONE" }); // through a link
});

test("unchanged() sees another start time, and an entry that has gone", () => {
  using fake = fakeProc();
  using process = openCrashedProcess(CALL, false, fake.proc);
  writeFileSync(join(fake.proc, "7/stat"), STAT.replace("123456", "123457"));
  assert.equal(process.unchanged(), false);
  rmSync(join(fake.proc, "7/stat"));
  assert.equal(process.unchanged(), false);
});

test("openCrashedProcess() on the kernel's own /proc takes no living process for a crashed one", async () => {
  using child = await stopped();
  assert.throws(() => openCrashedProcess({ hostPid: child.pid }, false), {
    code: "PROCESS_MISMATCH",
    message: /not dumping|after the dump/,
  });
});

test("a descriptor of /proc/P answers for that process only, also when it has gone", async () => {
  const child = spawn("sleep", ["600"]);
  using directory = new ProcDirectory(`/proc/${child.pid}`);
  assert.ok(directory.read("comm") && directory.link("exe"));
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  assert.deepEqual([directory.read("comm"), directory.link("exe"), directory.list("task")], [undefined, undefined, []]);
});

test("statFields() and startTicks() read past any comm", () => {
  for (const comm of ["x", ") S 1", "a b", "((", "))", "\n"])
    assert.equal(startTicks(Buffer.from(STAT.replace("a b) (c", comm))), 123456);
  assert.equal(statFields(Buffer.from(STAT))[0], "S");
  for (const bad of ["", "7 (x) S", "7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 -5"])
    assert.equal(startTicks(Buffer.from(bad)), undefined);
  assert.equal(startTicks(undefined), undefined);
});

test("startTicks() and statusField() throw at no bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string(), (bytes, name) => {
      startTicks(Buffer.from(bytes));
      statusField(Buffer.from(bytes), name);
    }),
  );
});

const fields = [
  { name: "Name", want: "x" },
  { name: "Uid", want: "1000\t1000\t1000\t1000" },
  { name: "CoreDumping", want: "1" },
  { name: "uid", want: undefined },
  { name: "mask", want: undefined }, // the end of another
  { name: "Gone", want: undefined },
];
for (const { name, want } of fields) {
  test(`statusField() finds ${name}: ${JSON.stringify(want)}`, () =>
    assert.equal(statusField(Buffer.from(STATUS), name), want));
}

test("threadNames() knows threads by the number that the core's notes give them, in the process's own namespace", () => {
  using fake = fakeProc({
    ...{ "task/7/comm": "main\n", "task/7/status": "NSpid:\t7\t1\n" },
    ...{ "task/9/comm": "wor\x1bker\n", "task/9/status": "NSpid:\t9\t22\n" },
    ...{ "task/10/comm": "old kernel\n", "task/10/status": "Name:\tx\n" },
    "task/11/status": "NSpid:\t11\t23\n", // it has no name to be read any more
  });
  using main = new ProcDirectory(join(fake.proc, "7"));
  assert.deepEqual([...(threadNames(main) ?? [])].sort(), [
    [1, "main"],
    [10, "old kernel"],
    [22, "wor\x1bker"],
  ]);
});

for (const { on, inside } of [
  { on: "in the initial pid namespace", inside: (tid: number) => `${tid}` },
  { on: "in one of its own", inside: (tid: number) => `${tid}\t${tid - 999}` },
]) {
  test(`of very many threads ${on} the names are those of the listed ones, the crashed one's above all`, () => {
    const threads = Array.from({ length: 600 }, (_, at) => 1000 + at);
    using fake = fakeProc(
      Object.fromEntries(
        threads.flatMap((tid) => [
          [`task/${tid}/comm`, `t${tid}\n`],
          [`task/${tid}/status`, `NSpid:\t${inside(tid)}\n`],
        ]),
      ),
    );
    using main = new ProcDirectory(join(fake.proc, "7"));
    assert.equal(threadNames(main), undefined);
    const number = (tid: number) => Number(inside(tid).split("\t").at(-1));
    const listed = [1599, 1001, 1500].map(number);
    assert.deepEqual(
      [...namesOfListed(main, 1599, listed)].sort(),
      [1599, 1001, 1500].map((tid) => [number(tid), `t${tid}`]).sort(),
    );
    assert.equal(namesOfListed(main, undefined, []).size, 0);
  });
}

test("threadNames() reads our own threads", () => {
  using main = new ProcDirectory("/proc/self/");
  assert.equal(threadNames(main)?.get(process.pid), readFileSync("/proc/self/comm", "utf8").trim());
});

const BOUNDS = [
  { name: "cmdline", most: 128 << 10 },
  { name: "mountinfo", most: 4 << 20 },
  { name: "cgroup", most: 64 << 10 },
  { name: "environ", most: 64 << 10 },
];
for (const { name, most } of BOUNDS) {
  test(`openCrashedProcess() reads ${most >> 10} KiB of ${name} and says that there was more`, () => {
    using whole = fakeProc({ [name]: Buffer.alloc(most, "x") });
    using process = openCrashedProcess(CALL, true, whole.proc);
    assert.deepEqual([process.facts.get(name)?.length, process.cut], [most, []]);
    using longer = fakeProc({ [name]: Buffer.alloc(most + 1, "x") });
    using cut = openCrashedProcess(CALL, true, longer.proc);
    assert.equal(cut.facts.get(name)?.length, most);
    assert.match(cut.cut.join(), new RegExp(`^its ${name} is longer than \\d+ [KM]iB: cut there$`));
  });
}

test("openCrashedProcess() takes all mappings or none: with a part of them memory would be left out", () => {
  using fake = fakeProc({ maps: Buffer.alloc((32 << 20) + 1, "x") });
  using process = openCrashedProcess(CALL, false, fake.proc);
  assert.equal(process.facts.has("maps"), false);
  assert.deepEqual(process.cut, ["its maps is longer than 32 MiB: not kept"]);
});

test("coredump_filter is read where the kernel has it: of the process, not of its crashed thread", () => {
  using fake = fakeProc({ coredump_filter: "00000000\n", "task/9/comm": "worker\n" });
  using process = openCrashedProcess({ ...CALL, hostTid: 9 }, false, fake.proc);
  assert.equal(process.facts.get("coredump_filter")?.toString(), "00000000\n");
});

test("readUpTo() reads a file without end to its bound, and the next file from its beginning", () => {
  assert.deepEqual([readUpTo("/dev/zero", 1 << 20).bytes.length, readUpTo("/dev/zero", 1 << 20).cut], [1 << 20, true]);
  assert.equal(readUpTo("/dev/zero", 8).bytes.toString("hex"), "00".repeat(8));
  assert.equal(readUpTo("/proc/self/comm", 64 << 10).bytes.toString(), readFileSync("/proc/self/comm", "utf8"));
  assert.throws(() => readUpTo("/nowhere", 8), { code: "ENOENT" });
});
