/** What every DumpSink must do (its comment is the contract), whatever stands behind it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { DumpSink } from "../../src/store/ports/sink.ts";
import { FOREVER, testUpload } from "./uploads.ts";

export interface SinkUnderTest extends AsyncDisposable {
  readonly sink: DumpSink;
  /** A bundle as whoever serves it would see it. */
  stored(key: string): Promise<Buffer | undefined>;
  /** What attempts that came to no end have left in the store. */
  leftovers(): Promise<readonly string[]>;
}

const MIB = 1 << 20;
const SMALL = randomBytes(1000);
const LARGE = randomBytes(43 * MIB + 7);
const BREAK_BYTES = 35 * MIB;

const breaksAt = (bytes: number, reason: Error) => (at: number) => {
  if (at >= bytes) throw reason;
};

export function sinkContract(name: string, setUp: () => Promise<SinkUnderTest>): void {
  const criterion = (title: string, check: (under: SinkUnderTest) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      await using under = await setUp();
      await check(under);
      assert.deepEqual(await under.leftovers(), [], "nothing is left over");
    });

  for (const [size, content] of Object.entries({ small: SMALL, large: LARGE })) {
    criterion(`put() stores a ${size} bundle, and says what`, async ({ sink, stored }) => {
      const upload = testUpload(content);
      const bundle = await sink.put(upload, FOREVER);
      assert.ok((await stored(upload.key))?.equals(content));
      assert.deepEqual(bundle, {
        volume: sink.volume,
        key: upload.key,
        sizeBytes: content.length,
        checksum: `crc32:${crc32(content).toString(16).padStart(8, "0")}`,
      });
    });

    criterion(`put() of a ${size} bundle again is harmless`, async ({ sink, stored }) => {
      const upload = testUpload(content);
      const first = await sink.put(upload, FOREVER);
      assert.deepEqual(await sink.put(upload, FOREVER), first);
      assert.deepEqual(await sink.put(testUpload(content, upload), FOREVER), first, "by one who has no notes");
      assert.ok((await stored(upload.key))?.equals(content));
    });
  }

  criterion("put() shows nothing under the key before it is whole", async ({ sink, stored }) => {
    const upload = testUpload(LARGE);
    upload.before = async (at) => {
      if (at > BREAK_BYTES) assert.equal(await stored(upload.key), undefined);
    };
    await sink.put(upload, FOREVER);
  });

  criterion(
    "put() passes on what goes wrong with the bundle, and the next goes on from there",
    async ({ sink, stored }) => {
      const upload = testUpload(LARGE);
      upload.before = breaksAt(BREAK_BYTES, new Error("the core is gone"));
      await assert.rejects(sink.put(upload, FOREVER), { message: "the core is gone" });
      assert.equal(await stored(upload.key), undefined);
      upload.before = () => undefined;
      await sink.put(upload, FOREVER);
      assert.ok((await stored(upload.key))?.equals(LARGE));
      assert.equal(upload.asked[0], 0);
      assert.ok((upload.asked[1] ?? 0) >= BREAK_BYTES / 2, `went on from ${upload.asked[1]}`);
    },
  );

  criterion("put() ends with the signal's reason, and the next goes on from there", async ({ sink, stored }) => {
    const upload = testUpload(LARGE);
    const stop = new AbortController();
    upload.before = (at) => {
      if (at >= BREAK_BYTES) stop.abort(new Error("SIGTERM"));
    };
    await assert.rejects(sink.put(upload, stop.signal), { message: "SIGTERM" });
    await assert.rejects(sink.put(upload, stop.signal), { message: "SIGTERM" }, "also when it has fired before");
    assert.equal(await stored(upload.key), undefined);
    upload.before = () => undefined;
    await sink.put(upload, FOREVER);
    assert.ok((await stored(upload.key))?.equals(LARGE));
    assert.ok((upload.asked.at(-1) ?? 0) >= BREAK_BYTES / 2, `went on from ${upload.asked.at(-1)}`);
  });

  criterion("put() does not go on with the bytes of another bundle", async ({ sink, stored }) => {
    const before = testUpload(Buffer.from(LARGE).fill(0x55));
    before.before = breaksAt(BREAK_BYTES, new Error("no"));
    await assert.rejects(sink.put(before, FOREVER));
    const upload = testUpload(LARGE, before);
    upload.note(before.noted);
    await sink.put(upload, FOREVER);
    assert.ok((await stored(upload.key))?.equals(LARGE));
    assert.equal(upload.asked[0], 0);
  });

  criterion("put() makes nothing of notes that make no sense", async ({ sink, stored }) => {
    for (const note of [null, 5, "x", [], {}, { fingerprint: 1 }, { sizeBytes: -5 }]) {
      const upload = testUpload(SMALL);
      upload.note(typeof note === "object" && note !== null ? { fingerprint: upload.fingerprint, ...note } : note);
      await sink.put(upload, FOREVER);
      assert.ok((await stored(upload.key))?.equals(SMALL));
    }
  });

  criterion("put() takes several at once", async ({ sink, stored }) => {
    const uploads = [SMALL, LARGE, LARGE].map((content) => testUpload(content));
    await Promise.all(uploads.map((upload) => sink.put(upload, FOREVER)));
    for (const [at, upload] of uploads.entries())
      assert.ok((await stored(upload.key))?.equals(at === 0 ? SMALL : LARGE));
  });

  criterion("discard() removes what an attempt left, and no bundle", async ({ sink, stored, leftovers }) => {
    const upload = testUpload(LARGE);
    upload.before = breaksAt(BREAK_BYTES, new Error("no"));
    await assert.rejects(sink.put(upload, FOREVER));
    assert.equal((await leftovers()).length, 1);
    await sink.discard(upload, FOREVER);
    assert.deepEqual(await leftovers(), []);
    assert.equal(upload.noted, undefined);
    upload.before = () => undefined;
    await sink.put(upload, FOREVER);
    await sink.discard(upload, FOREVER);
    await sink.discard(testUpload(SMALL), FOREVER); // one that never was
    assert.ok((await stored(upload.key))?.equals(LARGE));
  });
}
