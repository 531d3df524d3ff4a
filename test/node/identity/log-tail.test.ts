import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { logTail } from "../../../src/node/identity/log-tail.ts";
import { tempDir } from "../../support/tmp.ts";

const T = "2026-11-21T09:18:22.595653425Z";

function tailOf(content: string | Uint8Array, maxLines = 100): string[] {
  using folder = tempDir();
  const path = join(folder.path, "0.log");
  writeFileSync(path, content);
  return logTail(path, maxLines);
}

const json = (log: string, stream = "stdout"): string => JSON.stringify({ log, stream, time: T });
const cases = [
  {
    on: "the CRI's format",
    log: `${T} stdout F one\n${T} stderr F two\n`,
    want: [`${T} stdout one`, `${T} stderr two`],
  },
  {
    on: "a line in parts, the other stream in between",
    log: `${T} stdout P on\n${T} stderr F two\n${T} stdout F e\n`,
    want: [`${T} stdout one`, `${T} stderr two`],
  },
  { on: "more tags behind the first", log: `${T} stdout F:x one\n`, want: [`${T} stdout one`] },
  { on: "an empty line", log: `${T} stdout F \n`, want: [`${T} stdout `] },
  {
    on: "Docker's json-file",
    log: `${json("one\n")}\n${json("two\n", "stderr")}\n`,
    want: [`${T} stdout one`, `${T} stderr two`],
  },
  { on: "Docker's line in parts", log: `${json("on")}\n${json("e\n")}\n`, want: [`${T} stdout one`] },
  {
    on: "a line that is still being written",
    log: `${T} stdout F one\n${T} std`,
    want: [`${T} stdout one`, `${T} std`],
  },
  {
    on: "bytes that are no text",
    log: Buffer.from(`${T} stdout F \xff\x1b[31m\n`, "latin1"),
    want: [`${T} stdout \\xff\x1b[31m`],
  },
  { on: "neither format", log: "{nonsense\nhello\n", want: ["{nonsense", "hello"] },
  { on: "an empty file", log: "", want: [] },
];
for (const { on, log, want } of cases) test(`logTail() reads ${on}`, () => assert.deepEqual(tailOf(log), want));

test("logTail() gives the last lines, and of a large file reads the end alone", () => {
  const lines = Array.from({ length: 60_000 }, (_, at) => `${T} stdout F line ${at}\n`).join("");
  assert.deepEqual(tailOf(lines, 2), [`${T} stdout line 59998`, `${T} stdout line 59999`]);
  const all = tailOf(lines, 1e9);
  assert.ok(all.length < 60_000 && all.every((line) => line.startsWith(`${T} stdout line `)));
});

test("logTail() follows no link, neither of the file nor of its folder, and reads nothing but files", () => {
  using folder = tempDir();
  const pod = join(folder.path, "pods/shop_web-0_uid");
  mkdirSync(join(pod, "app"), { recursive: true });
  writeFileSync(join(folder.path, "secret"), "secret\n");
  symlinkSync(join(folder.path, "secret"), join(pod, "app/0.log"));
  execFileSync("mkfifo", [join(pod, "app/1.log")]);
  mkdirSync(join(folder.path, "other"));
  writeFileSync(join(folder.path, "other/0.log"), "secret\n");
  symlinkSync(join(folder.path, "other"), join(pod, "side"));
  for (const path of ["app/0.log", "app/1.log", "side/0.log", "app", "app/2.log"]) {
    assert.throws(() => logTail(join(pod, path), 9), { name: "DumpError" }, path);
  }
});

test("logTail() reads a log directory that the administrator has moved", () => {
  using folder = tempDir();
  mkdirSync(join(folder.path, "pods/shop_web-0_uid/app"), { recursive: true });
  writeFileSync(join(folder.path, "pods/shop_web-0_uid/app/0.log"), `${T} stdout F one\n`);
  renameSync(join(folder.path, "pods"), join(folder.path, "data"));
  symlinkSync(join(folder.path, "data"), join(folder.path, "pods"));
  assert.deepEqual(logTail(join(folder.path, "pods/shop_web-0_uid/app/0.log"), 9), [`${T} stdout one`]);
});

test("logTail() takes any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(5), (bytes, maxLines) => {
      assert.ok(tailOf(bytes, maxLines).length <= maxLines);
    }),
    { numRuns: 50 },
  );
});
