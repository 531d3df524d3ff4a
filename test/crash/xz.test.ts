/** xz as .gnu_debugdata has it: what the xz program packs comes out; anything else ends. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { unxz } from "../../src/crash/image/xz.ts";
import { needs } from "../support/set-up.ts";

const packed = (bytes: Uint8Array, ...flags: string[]): Uint8Array =>
  execFileSync("xz", ["-c", ...flags], { input: bytes, maxBuffer: 1 << 26 });
const MAX = 16 << 20;

const CONTENTS: readonly { on: string; bytes: Uint8Array }[] = [
  { on: "nothing to repeat", bytes: randomBytes(100_000) },
  { on: "one byte a million times", bytes: Buffer.alloc(1_000_000, 7) },
  { on: "source code", bytes: readFileSync(import.meta.filename) },
  { on: "a program", bytes: readFileSync("/proc/self/exe").subarray(0, 3_000_000) },
];

for (const { on, bytes } of CONTENTS) {
  test(`unxz() of ${on} is what was packed`, { skip: needs("command:xz") }, () => {
    for (const flags of [["-6"], ["-0"], ["--check=none"], ["--lzma2=lc=0,lp=2,pb=0"]])
      assert.ok(Buffer.from(unxz(packed(bytes, ...flags), MAX) ?? []).equals(bytes), flags.join());
  });
}

test("unxz() holds no more than it may", { skip: needs("command:xz") }, () => {
  assert.equal(unxz(packed(Buffer.alloc(1_000_000)), 999_999), undefined);
});

test("unxz() of changed or cut bytes ends, with or without an answer", { skip: needs("command:xz") }, () => {
  const whole = packed(readFileSync(import.meta.filename));
  const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(edits, fc.nat(whole.length), (changes, length) => {
      const copy = Uint8Array.from(whole);
      for (const [at, value] of changes) copy[at] = value;
      const got = unxz(copy.subarray(0, length), 1 << 20);
      assert.ok(got === undefined || got.length <= 1 << 20);
    }),
    { numRuns: 300 },
  );
});
