/** unxz() over what `xz` makes, and over bytes that nobody made. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { unxz } from "../../src/crash/xz/xz.ts";
import { runs } from "../support/runs.ts";
import { needs } from "../support/set-up.ts";

const skip = needs("command:xz");
const MAX = 4 << 20;
const packed = (bytes: Uint8Array, ...options: string[]): Uint8Array =>
  execFileSync("xz", ["-c", ...options], { input: bytes, maxBuffer: 64 << 20 });

const CONTENTS: Readonly<Record<string, Uint8Array>> = {
  nothing: new Uint8Array(),
  "one byte": Uint8Array.of(7),
  code: readFileSync("/proc/self/exe").subarray(1 << 20, (1 << 20) + 200_000),
  text: readFileSync(import.meta.filename),
  zeros: new Uint8Array(MAX),
  "what cannot be packed": randomBytes(200_000),
};

const OPTIONS: readonly (readonly string[])[] = [
  ["-0"],
  ["-9e"],
  ["--check=none"],
  ["--check=sha256"],
  ["--block-size=65536", "-T2"], // several blocks, with their sizes in their headers
  ["--lzma2=lc=0,lp=4,pb=0"],
  ["--lzma2=lc=4,lp=0,pb=4"],
];

for (const [name, bytes] of Object.entries(CONTENTS)) {
  test(`unxz() gives back ${name}`, { skip }, () => {
    for (const options of OPTIONS)
      assert.equal(Buffer.compare(unxz(packed(bytes, ...options), MAX), bytes), 0, options.join(" "));
  });
}

const text = Buffer.from("the same words again and again, ".repeat(400));

test("unxz() refuses by the size that the file says, before it unpacks", { skip }, () => {
  const bomb = packed(new Uint8Array(MAX + 1));
  assert.ok(bomb.length < 2000);
  const from = performance.now();
  assert.throws(() => unxz(bomb, MAX), /too large/);
  assert.ok(performance.now() - from < 100);
});

test("unxz() refuses what it cannot unpack", { skip }, () => {
  const whole = packed(text);
  for (const [bytes, why] of [
    [whole.subarray(0, whole.length - 1), /cut short/],
    [whole.subarray(1), /not xz/],
    [packed(text, "--x86", "--lzma2"), /another filter/],
  ] as const)
    assert.throws(() => unxz(bytes, MAX), why);
});

test("unxz() of a file that forgets again and again what it learnt is given up", () => {
  // LZMA chunks of one byte each, all with new properties; the first literal's bits are all 0.
  const chunk = Uint8Array.of(0xe0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0);
  const count = 5000;
  const data = Buffer.concat([...Array.from({ length: count }, () => chunk), Uint8Array.of(0)]);
  const block = Buffer.concat([Uint8Array.of(2, 0, 0x21, 1, 0, 0, 0, 0, 0, 0, 0, 0), data]);
  const padded = Buffer.concat([block, new Uint8Array((4 - (block.length & 3)) & 3)]);
  const index = Uint8Array.of(0, 1, 1, 0x80 | (count & 0x7f), count >> 7, 0, 0, 0, 0, 0, 0, 0);
  const foot = Buffer.from([0, 0, 0, 0, index.length / 4 - 1, 0, 0, 0, 0, 0, 0x59, 0x5a]);
  const head = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0, 0, 0, 0, 0]);
  assert.throws(() => unxz(Buffer.concat([head, padded, index, foot]), MAX), /too many resets/);
});

/** A RangeError is how it says no: whoever asks catches it. */
function ends(bytes: Uint8Array): void {
  try {
    assert.ok(unxz(bytes, 1 << 20).length <= 1 << 20);
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
  }
}

test("unxz() ends with whatever is changed", { skip }, () => {
  const whole = [packed(text), packed(randomBytes(300)), packed(text, "--block-size=4096", "-T1")];
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...whole), changes, fc.nat(), (bytes, edits, cut) => {
      const copy = Uint8Array.from(bytes);
      for (const [at, value] of edits) copy[at % copy.length] = value;
      ends(copy);
      ends(copy.subarray(0, cut % copy.length));
    }),
    { numRuns: runs(2000) },
  );
  const head = packed(text).subarray(0, 24);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => ends(Buffer.concat([head, bytes]))));
});
