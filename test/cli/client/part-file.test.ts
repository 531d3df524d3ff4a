import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { joined, PartFile } from "../../../src/cli/client/part-file.ts";
import { digestOf } from "../../../src/cli/commands/core-file.ts";
import type { ByteRange } from "../../../src/domain/units.ts";
import { tempDir } from "../../support/tmp.ts";

const LENGTH = 10_000;
const range = fc
  .tuple(fc.nat(LENGTH - 1), fc.nat(LENGTH - 1))
  .map(([a, b]): ByteRange => ({ fromBytes: Math.min(a, b), toBytes: Math.max(a, b) + 1 }));

test("joined() has exactly the bytes of all ranges, sorted and apart", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
      const result = ranges.reduce<readonly ByteRange[]>(joined, []);
      const [want, got] = [new Set<number>(), new Set<number>()];
      for (const [set, all] of [
        [want, ranges],
        [got, result],
      ] as const)
        for (const { fromBytes, toBytes } of all) for (let at = fromBytes; at < toBytes; at++) set.add(at);
      assert.deepEqual(
        [...got].sort((a, b) => a - b),
        [...want].sort((a, b) => a - b),
      );
      for (const [at, { fromBytes }] of result.entries())
        assert.ok(at === 0 || (result[at - 1]?.toBytes ?? 0) < fromBytes);
    }),
    { numRuns: 50 },
  );
});

test("PartFile gathers the whole of pieces in any order, over any number of interruptions", async () => {
  const whole = Buffer.concat([randomBytes(LENGTH >> 1), Buffer.alloc(LENGTH >> 1)]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(range, { maxLength: 4 }), { maxLength: 4 }), async (sessions) => {
      using folder = tempDir();
      const path = join(folder.path, "x");
      const of = { etag: '"e"', lengthBytes: LENGTH };
      const write = (part: PartFile, { fromBytes, toBytes }: ByteRange) =>
        part.write(whole.subarray(fromBytes, toBytes), fromBytes);
      for (const ranges of sessions) {
        using part = new PartFile(path, of);
        for (const each of ranges) await write(part, each);
      }
      using part = new PartFile(path, of);
      const had = sessions.flat().reduce<readonly ByteRange[]>(joined, []);
      assert.equal(
        part.doneBytes,
        had.reduce((sum, { fromBytes, toBytes }) => sum + toBytes - fromBytes, 0),
      );
      for (const each of part.missing()) await write(part, each);
      assert.deepEqual(part.missing(), []);
      part.complete();
      part.publish(false);
      assert.ok(readFileSync(path).equals(whole));
      assert.ok(!existsSync(part.path));
    }),
    { numRuns: 30 },
  );
});

test("PartFile begins anew for another ETag, another length, and what no line of ours stands behind", () => {
  using folder = tempDir();
  const path = join(folder.path, "x");
  const line = (more: object) =>
    `\n${JSON.stringify({ etag: '"e"', lengthBytes: 10, done: [{ fromBytes: 0, toBytes: 5 }], ...more })}\n`;
  for (const [text, doneBytes] of [
    [line({}), 5],
    [line({ etag: '"other"' }), 0],
    [line({ lengthBytes: 11 }), 0],
    [line({ done: [{ fromBytes: 0, toBytes: 11 }] }), 0],
    [line({ done: [{ fromBytes: 5, toBytes: 5 }] }), 0],
    [line({ done: 7 }), 0],
    ["\nnull\n", 0],
    ["", 0],
    ["x".repeat(1 << 17), 0],
  ] as const) {
    writeFileSync(`${path}.part`, `0123456789${text}`);
    using part = new PartFile(path, { etag: '"e"', lengthBytes: 10 });
    assert.equal(part.doneBytes, doneBytes, text.slice(0, 80));
    if (doneBytes === 0) assert.equal(statSync(part.path).size, 0);
  }
});

test("PartFile follows no link, shares with nobody, and replaces only when told", () => {
  using folder = tempDir();
  const path = join(folder.path, "x");
  const of = { etag: '"e"', lengthBytes: 0 };
  symlinkSync("/dev/null", `${path}.part`);
  assert.throws(() => new PartFile(path, of), { code: "OUTPUT_UNWRITABLE" });
  const other = join(folder.path, "y");
  using first = new PartFile(other, of);
  assert.throws(() => new PartFile(other, of), { code: "OUTPUT_UNWRITABLE", message: /another download/ });
  writeFileSync(other, "there");
  assert.throws(() => first.publish(false), { code: "OUTPUT_UNWRITABLE" });
  first.publish(true);
  assert.equal(readFileSync(other, "utf8"), "");
});

test("PartFile whose download was killed while it was checked has nothing to fetch, and the right bytes", async () => {
  using folder = tempDir();
  const path = join(folder.path, "x");
  const of = { etag: '"e"', lengthBytes: LENGTH };
  const whole = Buffer.concat([randomBytes(LENGTH >> 1), Buffer.alloc(LENGTH >> 1)]);
  {
    using part = new PartFile(path, of);
    await part.write(whole, 0);
    part.complete();
    writeFileSync(`${path}.killed`, readFileSync(part.path)); // what the kernel would leave of it
  }
  renameSync(`${path}.killed`, `${path}.part`);
  using part = new PartFile(path, of);
  assert.deepEqual(part.missing(), []);
  assert.equal(await digestOf(part.fd, undefined, LENGTH), createHash("sha256").update(whole).digest("hex"));
  part.publish(false);
  assert.ok(readFileSync(path).equals(whole));
});

test("PartFile that got nothing leaves nothing", () => {
  using folder = tempDir();
  new PartFile(join(folder.path, "x"), { etag: '"e"', lengthBytes: LENGTH })[Symbol.dispose]();
  assert.deepEqual(readdirSync(folder.path), []);
});
