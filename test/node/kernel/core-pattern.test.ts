import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isKernelCall, parseKernelCall } from "../../../src/node/kernel/arguments.ts";
import {
  kernelIsAtLeast,
  ownerOf,
  PATTERN_MAX_BYTES,
  patternFor,
  programOf,
  readPattern,
  writeSetting,
} from "../../../src/node/kernel/core-pattern.ts";

const BINARY = "/coredump/coredump-detector";

test("patternFor() names every specifier that the handler reads, and the pidfd from 6.16 on", () => {
  const common = "-P=%P -p=%p -t=%t -s=%s -T=%I -u=%u -g=%g -D=%d -l=%c";
  assert.equal(patternFor(BINARY, "6.16.0"), `|${BINARY} ${common} -F=%F -e=%e`);
  assert.equal(patternFor(BINARY, "6.15.9"), `|${BINARY} ${common} -e=%e`); // the name last: see parseKernelCall()
  assert.ok(patternFor(BINARY, "6.18.0").length <= PATTERN_MAX_BYTES);
});

test("patternFor() writes what parseKernelCall() understands", () => {
  const argv = patternFor(BINARY, "6.18")
    .split(" ")
    .slice(1)
    .map((word) => word.replace(/%./, "1"));
  assert.ok(isKernelCall(argv));
  const call = parseKernelCall(argv);
  assert.deepEqual(call?.problems, []);
  assert.equal(call?.flags.size, argv.length);
});

const places = [
  { on: "a directory too long for the kernel", binary: `/${"d".repeat(60)}/coredump-detector`, why: /bytes/ },
  { on: "a space, where the kernel would split", binary: "/my dir/coredump-detector", why: /plain absolute path/ },
  { on: "a %, which the kernel would expand", binary: "/100%/coredump-detector", why: /plain absolute path/ },
  { on: "a relative path", binary: "coredump-detector", why: /plain absolute path/ },
  { on: "other than ASCII", binary: "/ü/coredump-detector", why: /plain absolute path/ },
];
for (const { on, binary, why } of places) {
  test(`patternFor() refuses ${on}`, () => {
    assert.throws(() => patternFor(binary, "6.18"), { code: "PATTERN_REFUSED", message: why });
  });
}

test("patternFor() fits or refuses, for every directory's length", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 120 }), fc.constantFrom("5.10", "6.18"), (length, release) => {
      const binary = `/${"d".repeat(length)}/coredump-detector`;
      try {
        assert.ok(Buffer.byteLength(patternFor(binary, release)) <= PATTERN_MAX_BYTES);
      } catch (error) {
        assert.equal((error as { code: string }).code, "PATTERN_REFUSED");
      }
    }),
  );
});

const owners = [
  { pattern: patternFor(BINARY, "6.18"), owner: "ours" },
  { pattern: "|/elsewhere/coredump-detector -P=%P", owner: "ours" }, // moved from another directory
  { pattern: `|${BINARY} -P=%P -p=%p -e=%e -t=%t -c=/coredump/config --log_dir=/coredump/`, owner: "ours" }, // the predecessor's
  { pattern: `|${BINARY} -P=%P -p=%p -e=%e -t=%t -s=%s -T=%I -u=%u -g=%g -D=%d -l=%c`, owner: "ours" }, // of the version before
  { pattern: "| /coredump/coredump-detector", owner: "ours" },
  { pattern: "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h", owner: "systemd-coredump" },
  { pattern: "|/usr/share/apport/apport -p%p -s%s", owner: "apport" },
  { pattern: "|/usr/libexec/abrt-hook-ccpp %s %c %p", owner: "abrt" },
  { pattern: "|/opt/coredump-detector-not/handler", owner: "other" }, // the directory's name is not the program's
  { pattern: "|", owner: "other" },
  { pattern: "core", owner: "file" },
  { pattern: "/var/cores/coredump-detector.%p", owner: "file" },
  { pattern: "@/run/coredump.socket", owner: "socket" },
  { pattern: "@@/run/coredump.socket", owner: "socket" },
  { pattern: "", owner: "none" },
] as const;
for (const { pattern, owner } of owners) {
  test(`ownerOf() says ${owner} of ${JSON.stringify(pattern)}`, () => assert.equal(ownerOf(pattern), owner));
}

test("ownerOf() knows our binary under another name by its path", () => {
  assert.equal(ownerOf("|/opt/cd/handler -P=%P", "/opt/cd/handler"), "ours");
});

test("programOf() reads only a pipe's program", () => {
  assert.equal(programOf("|/a/b %P"), "/a/b");
  assert.equal(programOf("core"), undefined);
});

test("kernelIsAtLeast() compares by number, and takes nothing for granted", () => {
  assert.ok(kernelIsAtLeast("6.18.44-fc-v669", 6, 16));
  assert.ok(kernelIsAtLeast("7.0.0", 6, 16));
  assert.ok(!kernelIsAtLeast("6.9.1", 6, 16));
  assert.ok(!kernelIsAtLeast("5.99", 6, 16));
  assert.ok(!kernelIsAtLeast("rubbish", 0, 1));
});

/** A /proc/sys of plain files, for one test. */
function fakeSys(pattern: string): { path: string; file: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "cd-sys-"));
  mkdirSync(join(path, "kernel"));
  const file = join(path, "kernel/core_pattern");
  writeFileSync(file, `${pattern}\n`);
  return { path, file, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("writeSetting() writes a line and reads it back", () => {
  using sys = fakeSys("core");
  writeSetting("pattern", "|/bin/true", sys.path);
  assert.equal(readFileSync(sys.file, "utf8"), "|/bin/true\n");
  assert.equal(readPattern(sys.path), "|/bin/true");
});

test("writeSetting() fails when another value is read back, and puts the former one back", () => {
  using sys = fakeSys("core");
  // Half a character comes back as another one; the kernel's own cut is tested in e2e/node/install.test.ts.
  assert.throws(() => writeSetting("pattern", "|/bin/\ud800", sys.path), {
    code: "PATTERN_REFUSED",
    message: /: it reads "/,
  });
  assert.equal(readPattern(sys.path), "core");
});

test("writeSetting() says which setting could not be read", () => {
  assert.throws(() => writeSetting("pipeLimit", "64", "/nowhere"), {
    code: "SYSTEM_CALL_FAILED",
    message: /^Cannot read kernel\/core_pipe_limit: ENOENT/,
  });
});
