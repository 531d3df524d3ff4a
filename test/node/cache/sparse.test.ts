/** Long cores that hold little: their holes are not read, and nobody waits for another's. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AT_ONCE_BYTES, finishIfAbandoned } from "../../../src/node/cache/abandoned.ts";
import { Cache } from "../../../src/node/cache/cache.ts";
import { sha256Of } from "../../../src/node/cache/examine.ts";
import { readRecord } from "../../../src/node/cache/record.ts";
import type { Entry } from "../../../src/node/cache/spool.ts";
import { tempDir } from "../../support/tmp.ts";
import { coreOf, testSpool } from "./caches.ts";

const MIB = 1 << 20;
const GIB = 1 << 30;
/** What the test's own reading of files may come to. */
const ELSE_BYTES = 256 << 10;

/** Bytes that this process has read so far, from the page cache too (proc_pid_io(5), rchar). */
const readBytes = (): number => Number(/rchar: (\d+)/.exec(readFileSync("/proc/self/io", "latin1"))?.[1]);

const shapes: readonly { on: string; lengthBytes: number; data: readonly number[] }[] = [
  { on: "nothing", lengthBytes: 0, data: [] },
  { on: "a hole alone", lengthBytes: 100 * MIB, data: [] },
  { on: "data at both ends", lengthBytes: 200 * MIB, data: [0, 199 * MIB] },
  { on: "data within, and an odd end", lengthBytes: 130 * MIB + 7, data: [3 * MIB, 64 * MIB + 4096] },
];
for (const { on, lengthBytes, data } of shapes) {
  test(`sha256Of() a file with ${on}: holes count as zeros and are not read`, async () => {
    using dir = tempDir();
    const fd = openSync(join(dir.path, "core"), "w+");
    const piece = Buffer.alloc(64 << 10, 7);
    for (const at of data) writeSync(fd, piece, 0, piece.length, at);
    ftruncateSync(fd, lengthBytes);
    const whole = Buffer.alloc(lengthBytes);
    for (const at of data) piece.copy(whole, at);
    await sha256Of(openSync("/dev/null", "r")); // what is loaded on first use
    const before = readBytes();
    let next = 0n;
    const digest = await sha256Of(fd, (chunk, position) => {
      assert.equal(position, next);
      next += BigInt(chunk.length);
    });
    assert.ok(readBytes() - before <= data.length * piece.length + ELSE_BYTES, `${readBytes() - before} bytes read`);
    assert.equal(digest, createHash("sha256").update(whole).digest("hex"));
    assert.equal(next, BigInt(lengthBytes));
    closeSync(fd);
  });
}

/** What a killed handler leaves of a process with a large mapping. */
function long(entry: Entry, lengthBytes: number): Entry {
  writeFileSync(entry.part, coreOf());
  truncateSync(entry.part, lengthBytes);
  return entry;
}

test("finishAbandoned() puts off what would take long, reads nothing of it, and finishes the rest", async () => {
  using made = testSpool();
  const [small, huge] = [made.entry(1), long(made.entry(2), 64 * GIB)];
  writeFileSync(small.part, coreOf());
  const before = readBytes();
  assert.deepEqual(await new Cache(made.spool).finishAbandoned({ mostBytes: AT_ONCE_BYTES }), [huge.id]);
  assert.ok(readBytes() - before <= ELSE_BYTES, `${readBytes() - before} bytes read`);
  assert.deepEqual(
    [small, huge].map((entry) => readRecord(entry)?.state),
    ["Captured", "Capturing"],
  );
});

test("finishAbandoned() takes no longer for many: what is put off is counted in all", async () => {
  using made = testSpool();
  for (let number = 1; number <= 8; number++) long(made.entry(number), AT_ONCE_BYTES / 4);
  const later = await new Cache(made.spool).finishAbandoned({ mostBytes: AT_ONCE_BYTES });
  assert.equal(later.length, 4);
  assert.deepEqual(await new Cache(made.spool).finishAbandoned(), []);
});

test("finishIfAbandoned() ends when it is told to, and leaves the dump as it was", async () => {
  using made = testSpool();
  const huge = long(made.entry(1), 64 * GIB);
  const stopping = new AbortController();
  const finishing = finishIfAbandoned(huge, { signal: stopping.signal });
  setTimeout(() => stopping.abort(new Error("enough")), 50);
  await assert.rejects(finishing, /enough/);
  assert.equal(readRecord(huge)?.state, "Capturing");
  truncateSync(huge.part, MIB);
  await finishIfAbandoned(huge);
  assert.equal(readRecord(huge)?.state, "Captured");
});
