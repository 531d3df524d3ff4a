/** Every program of the corpus crashes under the real kernel; each stack is the one that was written from its source. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Sysroot } from "../../../src/cli/commands/sysroot.ts";
import { crashOf } from "../../../src/crash/crash.ts";
import { readerOf } from "../../../src/crash/elf/bytes.ts";
import type { Files } from "../../../src/crash/image/modules.ts";
import { plainName } from "../../../src/crash/names/plain.ts";
import { MAX_FRAMES } from "../../../src/domain/crash.ts";
import { agreementWith } from "../../crash/agreement.ts";
import { BUILDS } from "../../crash/cases.ts";
import { crashIn, flipping, namer, wrongWith } from "../../crash/check.ts";
import { type Crashed, corpus } from "../../crash/corpus.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs(
  "root",
  "testbed",
  "command:gcc",
  "command:gdb",
  "command:eu-stack",
  "command:musl-gcc",
  "command:strip",
  "command:nm",
  "command:objcopy",
  "command:xz",
  "command:g++",
  "command:rustc",
  "command:go",
  "command:aarch64-linux-gnu-gcc",
  "command:qemu-aarch64",
);

test("crashOf() finds the stacks that were written from the sources", { skip }, async (t) => {
  const crashed = await corpus();
  assert.ok(crashed.length >= 150, `${crashed.length} crashes`);
  for (const [build, crashes] of Map.groupBy(crashed, ({ build }) => build.name)) {
    await t.test(`${build}: ${crashes.length} crashes`, () => {
      const wrong = crashes.flatMap((each) => problemsOf(each));
      assert.deepEqual(wrong, []);
    });
  }
  assert.deepEqual([...new Set(BUILDS.map(({ name }) => name))].length, BUILDS.length, "names of builds differ");
});

/** Ways to come to the same fault by the same five calls. */
const SAME_BUG: Readonly<Record<string, string>> = { alternative: "handler", leader: "threads" };

test("fingerprintOf() is one for a bug in every build with names, and another for every other bug", {
  skip,
}, async () => {
  const builds = BUILDS.filter(({ name }) => /^c-(O|lto|nopie|static|no-|debug|musl|m32|fp)/.test(name));
  const ids = new Map<string, Set<string>>();
  for (const {
    core,
    case: { how, some },
  } of await corpus(builds)) {
    const bug = SAME_BUG[how] ?? how;
    if (!some) ids.set(bug, (ids.get(bug) ?? new Set()).add(crashIn(core).fingerprint ?? "none"));
  }
  const split = [...ids].filter(([, each]) => each.size > 1).map(([how, each]) => `${how}: ${each.size}`);
  assert.deepEqual(split, [], "one bug, several fingerprints");
  assert.equal(new Set([...ids.values()].flatMap((each) => [...each])).size, ids.size, "several bugs, one fingerprint");
});

test("how many stacks gdb and eu-stack have alike is printed", { skip }, async (t) => {
  const all = (await corpus()).filter(({ build, case: { recursive } }) => !build.emulator && !recursive);
  const sample = all.filter((_, i) => i % 24 === 0);
  const stacks = sample.map(({ core }) => crashIn(core).stack);
  for (const tool of ["gdb", "eu-stack"] as const) {
    const { asked, equal, frames } = agreementWith(tool, sample, stacks);
    t.diagnostic(`${tool}: ${equal} of ${asked} stacks equal, ${frames[0]} of ${frames[1]} frames`);
  }
});

test("crashOf() names the fault of a core that ends before its stack", { skip }, async () => {
  const [one] = await corpus(BUILDS.slice(0, 1));
  assert.ok(one);
  const core = readFileSync(one.core);
  const crash = crashOf({ core: readerOf(core.subarray(0, core.length / 4)), files: () => "notOpened" });
  assert.equal(crash.problem, "the stack could not be followed to its bottom");
  assert.equal(crash.stack[0]?.module, 0);
});

test("debug information of each version names lines and what was inlined", { skip }, async () => {
  const names = ["c-debug", "c-debug-frame-zlib", "c-dwarf-4", "cpp-debug", "rust-debug"];
  for (const crashed of await corpus(BUILDS.filter(({ name }) => names.includes(name)))) {
    const { stack } = crashIn(crashed.core);
    const lines = readFileSync(join(ROOT, "test/crash/programs", crashed.build.source), "utf8").split("\n");
    const own = stack.filter(({ file }) => file?.endsWith(crashed.build.source));
    assert.ok(own.length > 0, `${crashed.build.name} ${crashed.case.how}`);
    for (const { function: name, line } of own) {
      const short = plainName(name ?? "").replace(/^.*::(?=\w)|\.\w+$/g, "");
      if (/^\w+$/.test(short) && short !== "main")
        assert.ok(
          (lines[(line ?? 0) - 1] ?? "").includes(short) || isWithin(lines, line ?? 0, short),
          `${name} at line ${line}`,
        );
    }
    if (crashed.case.how === "function")
      assert.ok(stack.some(({ inlined, function: name }) => inlined && name?.includes("operator()")));
  }
});

/** Whether the function that a line is in has that name. */
const isWithin = (lines: readonly string[], line: number, name: string): boolean =>
  lines.slice(Math.max(0, line - 25), line).some((text) => text.includes(name));

test("whatever bytes of cores and files are changed, something bounded comes out", { skip }, async () => {
  const one = new Map((await corpus()).map((each) => [`${each.build.name} ${each.case.how}`, each]));
  const chosen = [
    "c-O2 qsort",
    "c-debug deep",
    "c-no-header deep",
    "c-debug-frame deep",
    "cpp-O2 noexcept",
    "rust-debug thread",
    "go-plain overflow",
    "go-pie goroutine",
  ];
  for (const [i, name] of chosen.entries()) {
    const crashed = one.get(name);
    assert.ok(crashed, name);
    for (const [seed, per] of [
      [1, 64],
      [2, 512],
      [3, 4096],
      [4, 65536],
    ] as const) {
      using sysroot = new Sysroot("/");
      const from = performance.now();
      const files: Files = (wanted) => {
        const file = sysroot.file(wanted);
        return typeof file === "string" ? file : flipping(file, seed + i, per);
      };
      const crash = crashOf({ core: readerOf(readFileSync(crashed.core)), files });
      assert.ok(crash.stack.length <= MAX_FRAMES, name);
      const spoilt = crashOf({ core: flipping(readerOf(readFileSync(crashed.core)), seed + i, per * 16), files });
      assert.ok(spoilt.stack.length <= MAX_FRAMES, name);
      assert.ok(performance.now() - from < 20_000, `${name} took ${performance.now() - from} ms`);
    }
  }
});

function problemsOf(crashed: Crashed): string[] {
  const crash = crashIn(crashed.core);
  const wrong = wrongWith(crashed, crash.stack, namer(crashed));
  const { how, expect } = crashed.case;
  return wrong === undefined
    ? []
    : [`${how}: ${wrong} instead of ${expect.join(" ")} (${crash.problem ?? crash.title})`];
}

/** Files that took a program's place while it ran: without build ids only what the dynamic linker wrote tells. */
const OVERWRITTEN: readonly { readonly build: string; readonly by: string; readonly state: string }[] = [
  { build: "c-no-build-id", by: "c-no-build-id", state: "read" },
  { build: "c-no-build-id", by: "c-O3", state: "changed" },
  { build: "c-no-build-id", by: "c-fp", state: "changed" },
  { build: "c-static-pie", by: "c-static-pie", state: "read" },
  { build: "rust-release", by: "rust-release", state: "read" },
];

test("crashOf() takes no names from a file that was overwritten in place", { skip }, async () => {
  for (const { build, by, state } of OVERWRITTEN) {
    const [crashed] = await corpus(BUILDS.filter(({ name }) => name === build));
    const [other] = await corpus(BUILDS.filter(({ name }) => name === by));
    assert.ok(crashed && other);
    const core = readFileSync(crashed.core);
    const program = readFileSync(join(other.named, "../program"));
    using sysroot = new Sysroot("/");
    const files: Files = (wanted) => (wanted.path.endsWith("/program") ? readerOf(program) : sysroot.file(wanted));
    const { modules, stack } = crashOf({ core: readerOf(core), files });
    const index = modules.findIndex(({ path }) => path.endsWith("/program"));
    assert.equal(modules[index]?.state, state, `${build} by ${by}`);
    assert.equal(
      stack.some(({ module, function: name }) => module === index && name !== null),
      state === "read",
    );
  }
});
