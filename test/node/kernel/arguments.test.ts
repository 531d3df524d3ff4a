import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isKernelCall, parseKernelCall } from "../../../src/node/kernel/arguments.ts";

const calls = [
  { on: "a pid alone", argv: ["-P=7"], call: { hostPid: 7 } },
  {
    on: "the predecessor's pattern",
    argv: ["-P=7", "-p=1", "-e=nginx", "-t=1784000000", "-c=/coredump/config", "--log_dir=/coredump/"],
    call: { hostPid: 7, containerPid: 1, threadName: "nginx", time: 1784000000 },
    flags: { kubeconfig: "/coredump/config", log_dir: "/coredump/" },
  },
  {
    on: "the long forms",
    argv: ["--hostPid=7", "--containerPid=1", "--filename=x", "--time=3", "--kubeconfig=/k", "--dump-dir=/d", "--v=2"],
    call: { hostPid: 7, containerPid: 1, threadName: "x", time: 3 },
    flags: { kubeconfig: "/k", "dump-dir": "/d", v: "2" },
  },
  {
    on: "the installed pattern",
    argv: "-P=7 -p=1 -t=3 -s=11 -T=8 -u=1000 -g=100 -D=2 -l=18446744073709551615 -F=3 -e=x".split(" "),
    call: {
      ...{ hostPid: 7, containerPid: 1, threadName: "x", time: 3, signal: 11, hostTid: 8, uid: 1000, gid: 100 },
      ...{ dumpable: 2, coreLimit: "18446744073709551615", pidfd: 3 },
    },
  },
  { on: "%F on an old kernel", argv: ["-P=7", "-F="], call: { hostPid: 7 } },
  { on: "lone specifiers that expand to nothing", argv: ["-P=7", "", ""], call: { hostPid: 7 } },
  { on: "quotes, which the kernel passes on", argv: ['-P="7"', "-l='0'"], call: { hostPid: 7, coreLimit: "0" } },
  { on: "a quoted path", argv: ["-P=7", '-d="/d"'], call: { hostPid: 7 }, flags: { "dump-dir": "/d" } },
  { on: "a comm with quotes of its own", argv: ["-P=7", '-e="x"'], call: { hostPid: 7, threadName: '"x"' } },
  { on: "a comm that looks like arguments", argv: ["-P=7", "-e=a -P=1"], call: { hostPid: 7, threadName: "a -P=1" } },
  { on: "a comm of other bytes", argv: ["-P=7", '-e=a b"\n\x1b['], call: { hostPid: 7, threadName: 'a b"\n\x1b[' } },
  { on: "-d= with nothing", argv: ["-P=7", "-d="], call: { hostPid: 7 }, flags: { "dump-dir": "" } },
];
for (const { on, argv, call, flags } of calls) {
  test(`parseKernelCall() reads ${on}`, () => {
    const parsed = parseKernelCall(argv);
    assert.deepEqual(definedOf(parsed?.call ?? {}), call);
    for (const [name, text] of Object.entries(flags ?? {})) assert.equal(parsed?.flags.get(name), text);
    assert.deepEqual(parsed?.problems, []);
  });
}

const definedOf = (values: object) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** Names that a thread gave itself, as a kernel before 5.3 passes them on: it splits after it has put them in. */
const NAMES = ["a -d=run", "a --host=ignore", "x -P=1", "x -D=1 -u=0", "x -t=5", "-e=y", " ", "-t=1 -t=2", "a"];
const PATTERNS = [
  { on: "ours", before: "-P=7 -t=3 -u=1000 -D=2 -l=0", behind: "" },
  { on: "ours of the version before", before: "-P=7 -p=1", behind: "-t=3 -s=11 -u=1000 -D=2" },
  { on: "the predecessor's", before: "-P=7 -p=1", behind: "-t=3 -c=/coredump/config --log_dir=/coredump/" },
  { on: "one with the pid behind", before: "-u=1000", behind: "-D=2 -P=7 -t=3" },
];
for (const { on, before, behind } of PATTERNS) {
  for (const name of NAMES) {
    test(`parseKernelCall() takes nothing out of the name ${JSON.stringify(name)} in a split pattern: ${on}`, () => {
      const words = `${before} -e=${name} ${behind}`.split(" ").filter((word) => word !== "");
      const parsed = parseKernelCall(words);
      const whole = parseKernelCall([...before.split(" "), `-e=${name}`, ...behind.split(" ")]);
      assert.deepEqual(new Set(parsed?.flags.keys()), new Set(whole?.flags.keys()));
      assert.equal(parsed?.call.hostPid, 7);
      assert.equal(parsed?.call.time, 3);
      for (const key of ["uid", "dumpable"] as const) assert.equal(parsed?.call[key], whole?.call[key]);
      assert.equal(parsed?.flags.has("dump-dir") || parsed?.flags.has("host"), false);
    });
  }
}

test("parseKernelCall() takes the first of two", () => {
  const parsed = parseKernelCall(["-P=7", "-d=/a", "-d=/b", "-P=8"]);
  assert.deepEqual([parsed?.call.hostPid, parsed?.flags.get("dump-dir"), parsed?.problems.length], [7, "/a", 2]);
});

const problems = [
  { on: "an unknown argument", argument: "-x=1", want: 'argument ignored: "-x=1"' },
  { on: "a word", argument: "core", want: 'argument ignored: "core"' },
  { on: "a flag without a value", argument: "--environ", want: 'argument ignored: "--environ"' },
  { on: "a bad number", argument: "-u=root", want: '--uid ignored: "root" is not a whole number' },
  { on: "a number beyond all", argument: `-t=${2n ** 64n}`, want: /^--time ignored/ },
  { on: "a name of Object's", argument: "--constructor=1", want: /^argument ignored/ },
  { on: "a long one", argument: `-x=${"y".repeat(9999)}`, want: /^argument ignored: "-x=y{77}"$/ },
];
for (const { on, argument, want } of problems) {
  test(`parseKernelCall() reports ${on} and goes on`, () => {
    const parsed = parseKernelCall([argument, "-P=7"]);
    assert.equal(parsed?.call.hostPid, 7);
    assert.equal(parsed?.problems.length, 1);
    const [problem = ""] = parsed?.problems ?? [];
    if (typeof want === "string") assert.equal(problem, want);
    else assert.match(problem, want);
  });
}

for (const argv of [[], ["-P="], ["-P=0"], ["-P=-1"], ["-P=x"], ["-p=7"], ["-P"]]) {
  test(`parseKernelCall() has nothing to go on in ${JSON.stringify(argv)}`, () =>
    assert.equal(parseKernelCall(argv), undefined));
}

test("isKernelCall() knows a pid, and takes no command for one", () => {
  for (const argv of [["-P=7"], ["-e=x", "--hostPid=7"], ["-P="]]) assert.equal(isKernelCall(argv), true);
  for (const argv of [[], ["list"], ["-p=7"], ["list", "--pod=-P=7"], ["dump", "--hostPid"]])
    assert.equal(isKernelCall(argv), false);
});

test("parseKernelCall() throws at no arguments, and finds the pid among any others", () => {
  const word = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc
      .tuple(fc.constantFrom("-p", "-e", "-t", "-F", "-d", "--v", "--", "-"), fc.string({ unit: "binary" }))
      .map(([name, text]) => `${name}=${text}`),
  );
  const others = word.filter((text) => !/^--?(P|hostPid)=/.test(text));
  fc.assert(
    fc.property(fc.array(others), fc.array(others), fc.integer({ min: 1, max: 2 ** 22 }), (before, after, pid) => {
      parseKernelCall(before);
      const parsed = parseKernelCall([...before, `-P=${pid}`, ...after]);
      assert.equal(parsed?.call.hostPid, pid);
      assert.ok(isKernelCall([...before, `-P=${pid}`, ...after]));
    }),
  );
});
