import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { buildIdOf } from "../../../src/crash/elf/build-id.ts";
import { readerOf } from "../../../src/crash/elf/bytes.ts";
import { fileReader } from "../../../src/crash/elf/file-reader.ts";
import { mappedFiles } from "../../../src/crash/process/mapped.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const fixture = (name: string): Buffer => readFileSync(join(ROOT, "fixtures/elf", name));

test("mappedFiles() names what the kernel says was mapped, and which of it was the executable", () => {
  const mapped = mappedFiles(readerOf(fixture("segv.core")));
  assert.ok(mapped.ok);
  assert.deepEqual(
    mapped.files.map(({ path, isElf, isExecutable }) => ({ path, isElf, isExecutable })),
    [{ path: "/tmp/fixture/crash", isElf: true, isExecutable: true }],
  );
});

test("mappedFiles() keeps the bytes of a hostile name, and says what the core does not hold", () => {
  const mapped = mappedFiles(readerOf(fixture("kill.core"))); // without any memory
  assert.ok(mapped.ok);
  const [file] = mapped.files;
  assert.equal(file?.path, '/tmp/fixture/a b"\n\x1b[31m');
  assert.deepEqual([file?.isElf, file?.buildId, file?.isExecutable], [undefined, undefined, true]);
});

test("mappedFiles() of a 32-bit core", () => {
  const mapped = mappedFiles(readerOf(fixture("i386.core")));
  assert.ok(mapped.ok);
  assert.deepEqual(
    mapped.files.map(({ path }) => path),
    ["/tmp/fixture/crash32"],
  );
});

test("mappedFiles() and buildIdOf() read any bytes without an error", () => {
  const core = fixture("segv.core");
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(core.length - 1), fc.nat(255)), { maxLength: 40 }), (changes) => {
      const bytes = Buffer.from(core);
      for (const [at, value] of changes) bytes[at] = value;
      mappedFiles(readerOf(bytes));
      buildIdOf(readerOf(bytes));
    }),
    { numRuns: 300 },
  );
});

test("buildIdOf() agrees with readelf on this machine's own Node and libc", { skip: needs("command:readelf") }, () => {
  const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
  for (const path of [process.execPath, /(\/\S+\/libc\.so\.6)/.exec(libraries)?.[1] ?? ""]) {
    const notes = execFileSync("readelf", ["-n", path], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const fd = openSync(path, "r");
    assert.equal(buildIdOf(fileReader(fd)), /Build ID: ([0-9a-f]+)/.exec(notes)?.[1], path);
    closeSync(fd);
  }
});
