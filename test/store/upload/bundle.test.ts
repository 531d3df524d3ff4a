import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { entriesOf, entryOf } from "../../../src/store/bundle/entries.ts";
import { parseKey } from "../../../src/store/bundle/key.ts";
import { SeekableReader } from "../../../src/store/bundle/reader.ts";
import { FRAME_BYTES } from "../../../src/store/bundle/seek-table.ts";
import { bundleOf } from "../../../src/store/upload/bundle.ts";
import { tempDir } from "../../support/tmp.ts";
import { bundled, bytesOf, sourceOf, testDump } from "./dumps.ts";

const MIB = 1 << 20;
/** Data across a frame's end, in the middle of one, at the very end; a hole of several frames between them. */
const PARTS = [
  { atBytes: 0, bytes: randomBytes(3 * MIB) },
  { atBytes: 13 * MIB, bytes: Buffer.alloc(5000, "text that compresses ") },
  { atBytes: 17 * MIB - 1, bytes: randomBytes(100) },
];
const CORE_BYTES = 17 * MIB + 99;
const dump = testDump(CORE_BYTES, PARTS);
after(() => dump[Symbol.dispose]());
const bundle = await bundled(dump);
const tar = execFileSync("zstd", ["-dc"], { input: bundle, maxBuffer: 100 * MIB });

test("a bundle is what tar and zstd open", () => {
  using dir = tempDir();
  const file = join(dir.path, "b.tar.zst");
  writeFileSync(file, bundle);
  execFileSync("zstd", ["-qt", file]);
  execFileSync("tar", ["--zstd", "-xf", file, "-C", dir.path]);
  assert.deepEqual(readFileSync(join(dir.path, "core")), readFileSync(dump.core));
  assert.deepEqual(readdirSync(join(dir.path, "facts")).sort(), ["maps", "ns_mnt", "status"]);
  assert.equal(readFileSync(join(dir.path, "log.txt"), "utf8"), "the last line\n");
  assert.equal(statSync(join(dir.path, "core")).mode & 0o777, 0o600);
});

test("a bundle says who crashed, and nothing of the node's paths, the command line, the environment", () => {
  const text = tar.toString("latin1", 0, tar.length - CORE_BYTES);
  const info = JSON.parse(text.slice(512, text.indexOf("\0", 512)));
  assert.equal(info.pod.namespace, "shop");
  assert.equal(info.core.logicalBytes, CORE_BYTES);
  for (const secret of ["cmdline", "environ", dump.dir]) assert.ok(!text.includes(secret), secret);
});

test("entriesOf() finds the small files first, the core last", async () => {
  const reader = await SeekableReader.open(sourceOf(bundle));
  const entries = await Array.fromAsync(entriesOf(reader));
  const small = ["info.json", "pod.json", "container.json", "image.json", "log.txt"];
  assert.deepEqual(
    entries.map(({ name }) => name),
    [...small, "facts/maps", "facts/ns_mnt", "facts/status", "core"],
  );
  const core = await entryOf(reader, "core");
  assert.deepEqual(tar.subarray(core.fromBytes, core.fromBytes + core.sizeBytes), readFileSync(dump.core));
  await assert.rejects(entryOf(reader, "shadow"), { code: "STORE_CORRUPT" });
});

test("SeekableReader gives any range of the tar", async () => {
  const reader = await SeekableReader.open(sourceOf(bundle));
  assert.equal(reader.plainBytes, tar.length);
  const place = fc.oneof(
    fc.nat(tar.length),
    fc.nat(9).map((frame) => frame * FRAME_BYTES),
    fc.constant(tar.length + 5),
  );
  await fc.assert(
    fc.asyncProperty(place, place, async (from, to) => {
      const chunks = await Array.fromAsync(reader.read(from, to));
      assert.ok(Buffer.concat(chunks).equals(tar.subarray(from, Math.max(from, to))));
    }),
    { numRuns: 60 },
  );
});

test("the same record gives the same bytes, from wherever they are wanted", async () => {
  await using upload = await bundleOf(dump.record, dump);
  assert.ok((await bytesOf(upload)).equals(bundle));
  for (const fromBytes of [1, 4 * MIB, bundle.length - 5, bundle.length, bundle.length + 9])
    assert.ok((await bytesOf(upload, fromBytes)).equals(bundle.subarray(fromBytes)), `from ${fromBytes}`);
  assert.ok(upload.maxBytes >= bundle.length);
  assert.equal(parseKey(upload.key)?.kind, "pod");
});

test("what an earlier attempt found out is not compressed again", async () => {
  using other = testDump(CORE_BYTES, PARTS);
  await using first = await bundleOf(other.record, other);
  const whole = await bytesOf(first);
  first.note("sent");
  await using second = await bundleOf(other.record, other);
  assert.equal(second.noted, "sent");
  assert.equal(second.fingerprint, first.fingerprint);
  truncateSync(other.core, 0);
  assert.ok((await bytesOf(second, whole.length - 40)).equals(whole.subarray(-40)));
});

test("an upload.json that makes no sense costs speed only", async () => {
  using other = testDump(CORE_BYTES, PARTS);
  const whole = await bundled(other);
  for (const text of ["", "{", "null", '{"version":1}', '{"version":1,"fingerprint":"x","frames":[-1]}']) {
    writeFileSync(other.path("upload.json"), text);
    await using upload = await bundleOf(other.record, other);
    assert.equal(upload.noted, undefined);
    assert.ok((await bytesOf(upload, 99)).equals(whole.subarray(99)), text);
  }
});

test("a record that says something else has another fingerprint", async () => {
  await using one = await bundleOf(dump.record, dump);
  for (const change of [{ heldMs: 1 }, { core: { ...dump.record.core, sha256: "01" } }]) {
    await using other = await bundleOf({ ...dump.record, ...change }, dump);
    assert.notEqual(other.fingerprint, one.fingerprint);
  }
  await using later = await bundleOf(
    { ...dump.record, updated: new Date().toISOString(), state: "FailedToSave" },
    dump,
  );
  assert.equal(later.fingerprint, one.fingerprint);
});

test("bundleOf() refuses a core that is not the captured one, or gone", async () => {
  using other = testDump(CORE_BYTES, PARTS);
  truncateSync(other.core, 5);
  await assert.rejects(bundleOf(other.record, other), { code: "DUMP_CORRUPT" });
  rmSync(other.core);
  await assert.rejects(bundleOf(other.record, other), { code: "DUMP_NOT_HELD" });
});

test("a core that changes under the upload is noticed", async () => {
  using other = testDump(CORE_BYTES, PARTS);
  await using upload = await bundleOf(other.record, other);
  truncateSync(other.core, 2 * FRAME_BYTES);
  await assert.rejects(bytesOf(upload), { code: "DUMP_CORRUPT" });
});

test("bytes() ends with the signal's reason", async () => {
  await using upload = await bundleOf(dump.record, dump);
  const stop = new AbortController();
  const bytes = upload.bytes(0, stop.signal)[Symbol.asyncIterator]();
  await bytes.next();
  stop.abort(new Error("enough"));
  await assert.rejects(
    async () => {
      while (!(await bytes.next()).done);
    },
    { message: "enough" },
  );
});

test("files beside the core that are too large are left out, and that is said", async () => {
  using other = testDump(MIB, []);
  writeFileSync(other.path("facts/maps"), Buffer.alloc(5 * MIB, "x"));
  symlinkSync("/etc/passwd", other.path("facts/link"));
  await assert.rejects(bundled(other), { code: "CACHE_UNUSABLE" });
  rmSync(other.path("facts/link"));
  const reader = await SeekableReader.open(sourceOf(await bundled(other)));
  const names = (await Array.fromAsync(entriesOf(reader))).map(({ name }) => name);
  assert.ok(!names.includes("facts/maps"));
  const info = await entryOf(reader, "info.json");
  const text = Buffer.concat(await Array.fromAsync(reader.read(info.fromBytes, info.fromBytes + info.sizeBytes)));
  assert.deepEqual(JSON.parse(text.toString()).leftOut, ["facts/maps"]);
});

test("a core beyond 8 GiB has its true length in the tar", async () => {
  using huge = testDump(9 * 1024 * MIB, [{ atBytes: 9 * 1024 * MIB - 4, bytes: Buffer.from("last") }]);
  const reader = await SeekableReader.open(sourceOf(await bundled(huge)));
  const core = await entryOf(reader, "core");
  assert.equal(core.sizeBytes, 9 * 1024 * MIB);
  const end = core.fromBytes + core.sizeBytes;
  assert.equal(Buffer.concat(await Array.fromAsync(reader.read(end - 5, end))).toString(), "\0last");
});
