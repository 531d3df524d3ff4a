import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { DumpError, FAILURES, type FailureCode } from "../../src/domain/failures.ts";
import { type Clock, limited } from "../../src/store/limiter.ts";
import { openSink } from "../../src/store/open.ts";
import { rereading, retrying } from "../../src/store/retrying.ts";
import { PartSplitter } from "../../src/store/s3/parts.ts";
import { MemorySink } from "../contract/memory-sink.ts";
import { MemorySource } from "../contract/memory-source.ts";
import { sinkContract } from "../contract/sink.ts";
import { sourceContract } from "../contract/source.ts";
import { FOREVER, testUpload } from "../contract/uploads.ts";
import { tempDir } from "../support/tmp.ts";

/** Time passes when somebody sleeps. */
function testClock(): Clock & { nowMs: number; readonly pauses: number[] } {
  const clock = {
    nowMs: 0,
    pauses: [] as number[],
    now: () => clock.nowMs,
    sleep: async (ms: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      clock.nowMs += ms;
      clock.pauses.push(ms);
    },
  };
  return clock;
}

const PATIENCE = { attempts: 5, firstMs: 100, longestMs: 300 };
const CONTENT = randomBytes(3_000_000);
const failure = (code: FailureCode) => new DumpError(code, "no");

for (const [name, decorate] of Object.entries({
  "retrying()": (sink: MemorySink) => retrying(sink, PATIENCE, testClock()),
  "limited()": (sink: MemorySink) => limited(sink, 1000, testClock()),
})) {
  sinkContract(name, async () => {
    const sink = new MemorySink();
    return {
      sink: decorate(sink),
      stored: async (key) => sink.bundles.get(key),
      leftovers: async () => [...sink.parts.keys()],
      [Symbol.asyncDispose]: async () => undefined,
    };
  });
}

sourceContract("rereading()", async () => {
  const source = new MemorySource();
  return {
    source: rereading(source, PATIENCE, testClock()),
    put: async (key, bytes) => void source.bundles.set(key, bytes),
    remove: async (key) => void source.bundles.delete(key),
    [Symbol.asyncDispose]: async () => undefined,
  };
});

test("rereading() gives the bytes when the store comes back", async () => {
  const [source, clock] = [new MemorySource(), testClock()];
  source.bundles.set("a", CONTENT);
  let failures = 3;
  source.before = () => {
    if (failures-- > 0) throw failure("STORE_UNAVAILABLE");
  };
  const { version, sizeBytes } = await rereading(source, PATIENCE, clock, () => 1).head("a", FOREVER);
  assert.deepEqual([sizeBytes, clock.pauses], [CONTENT.length, [100, 200, 300]]);
  failures = 5;
  const reading = rereading(source, PATIENCE, clock).read({ key: "a", version, sizeBytes }, 0, 10, FOREVER);
  await assert.rejects(reading, { code: "STORE_UNAVAILABLE" });
});

for (const code of Object.keys(FAILURES) as FailureCode[]) {
  const { retry } = FAILURES[code];
  test(`retrying() ${retry ? "tries again after" : "gives up at"} ${code}`, async () => {
    const [sink, clock] = [new MemorySink(), testClock()];
    sink.failure = failure(code);
    await assert.rejects(retrying(sink, PATIENCE, clock, () => 1).put(testUpload(CONTENT), FOREVER), { code });
    assert.deepEqual(clock.pauses, retry ? [100, 200, 300, 300] : []);
  });
}

test("retrying() shortens its pauses at random, by half at the most", async () => {
  const [sink, clock] = [new MemorySink(), testClock()];
  sink.failure = failure("STORE_UNAVAILABLE");
  await assert.rejects(retrying(sink, PATIENCE, clock, () => 0).put(testUpload(CONTENT), FOREVER));
  assert.deepEqual(clock.pauses, [50, 100, 150, 150]);
});

test("retrying() succeeds when the store comes back, with the rest only", async () => {
  const [sink, clock] = [new MemorySink(), testClock()];
  const upload = testUpload(CONTENT);
  upload.before = (at) => {
    sink.failure = at > 1_000_000 && clock.pauses.length < 2 ? failure("STORE_UNAVAILABLE") : undefined;
  };
  await retrying(sink, PATIENCE, clock).put(upload, FOREVER);
  assert.ok(sink.bundles.get(upload.key)?.equals(CONTENT));
  assert.equal(upload.asked.length, 3);
  assert.ok((upload.asked[2] ?? 0) > 1_000_000);
});

test("retrying() does not sleep on when it is told to end", async () => {
  const sink = new MemorySink();
  sink.failure = failure("STORE_UNAVAILABLE");
  const stop = new AbortController();
  const put = retrying(sink, { attempts: 5, firstMs: 600_000, longestMs: 600_000 }).put(
    testUpload(CONTENT),
    stop.signal,
  );
  setImmediate(() => stop.abort(new Error("SIGTERM")));
  await assert.rejects(put, { message: "SIGTERM" });
});

test("limited() shares the bandwidth among all uploads", async () => {
  const clock = testClock();
  const sink = limited(new MemorySink(), 1_000_000, clock);
  await Promise.all([sink.put(testUpload(CONTENT), FOREVER), sink.put(testUpload(CONTENT), FOREVER)]);
  const lastChunkMs = 300;
  assert.ok(clock.nowMs >= 6000 - lastChunkMs, `${clock.nowMs} ms for six seconds' worth`);
});

test("Parts cuts any chunks into parts of one length, and sums them up", async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 30 }), async (chunks, partBytes) => {
      const parts = new PartSplitter(partBytes, 0);
      const [bodies, lasts]: [Buffer[], boolean[]] = [[], []];
      const stream = async function* () {
        yield* chunks.map((chunk) => Buffer.from(chunk));
      };
      for await (const part of parts.of(stream())) {
        bodies.push(Buffer.from(part.body));
        lasts.push(part.last);
        if (!part.last) assert.equal(part.body.length, partBytes);
        parts.giveBack(part); // its buffer is used again
      }
      assert.ok(Buffer.concat(bodies).equals(Buffer.concat(chunks)));
      assert.deepEqual(lasts, [...lasts.slice(1).fill(false), true]);
    }),
  );
});

test("openSink() takes what the settings name", async () => {
  using dir = tempDir();
  mkdirSync(join(dir.path, "store"));
  const upload = testUpload(CONTENT);
  const sink = await openSink({ store: join(dir.path, "store"), uploadBytesPerS: 10n ** 12n });
  assert.equal((await sink.put(upload, FOREVER)).sizeBytes, CONTENT.length);
  assert.equal((await openSink({ store: "s3://cores/prod", s3Region: "eu-west-1" })).volume, "s3://cores/prod");
  assert.throws(() => openSink({}), { code: "SETTINGS_INVALID" });
});
