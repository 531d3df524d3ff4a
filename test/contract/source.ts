/** What every DumpSource must do (its comment is the contract), whatever stands behind it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { DumpSource } from "../../src/store/ports/source.ts";
import { FOREVER, randomKey } from "./uploads.ts";

export interface SourceUnderTest extends AsyncDisposable {
  readonly source: DumpSource;
  /** As the agent's sink does it: whole, and at once. */
  put(key: string, bytes: Buffer): Promise<void>;
  remove(key: string): Promise<void>;
}

const CONTENT = randomBytes(3_000_000);
const NOTHING = { code: "NOT_FOUND" };

/** What a tenant could try to have read, were a key made of his words. `""` is the store itself. */
const HOSTILE = [
  ...[
    "",
    "/",
    ".",
    "..",
    "../x",
    "shop/../other/x",
    "shop/./x",
    "shop//x",
    "/etc/passwd",
    "shop/x/",
    "shop/..",
    "..\\x",
  ],
  ...[
    "%2e%2e/x",
    "shop/%2e%2e/x",
    "shop/x\0y",
    "shop/\n",
    "shop/ü/\u202e",
    "x".repeat(300),
    `${"x/".repeat(600)}x`,
    "shop",
  ],
];

export function sourceContract(name: string, setUp: () => Promise<SourceUnderTest>): void {
  const criterion = (title: string, check: (under: SourceUnderTest, key: string) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      await using under = await setUp();
      const key = randomKey();
      await under.put(key, CONTENT);
      await check(under, key);
    });

  criterion("head() says how long a bundle is", async ({ source }, key) => {
    const { version, ...stored } = await source.head(key, FOREVER);
    assert.deepEqual(stored, { key, sizeBytes: CONTENT.length });
    assert.deepEqual(await source.head(key, FOREVER), { ...stored, version }, "twice the same");
  });

  criterion("read() gives exactly the bytes that were asked for", async ({ source }, key) => {
    const stored = await source.head(key, FOREVER);
    const place = fc.oneof(fc.nat(CONTENT.length), fc.constantFrom(0, 1, CONTENT.length));
    const check = async (one: number, other: number) => {
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      assert.ok((await source.read(stored, from, to - from, FOREVER)).equals(CONTENT.subarray(from, to)));
    };
    await fc.assert(fc.asyncProperty(place, place, check), { numRuns: 30 });
  });

  criterion("read() rejects when there are no such bytes", async ({ source }, key) => {
    const stored = await source.head(key, FOREVER);
    for (const [from, length] of [
      [CONTENT.length - 5, 6],
      [CONTENT.length, 1],
      [CONTENT.length + 10, 10],
    ] as const)
      await assert.rejects(source.read(stored, from, length, FOREVER), { code: "STORE_CORRUPT" });
  });

  criterion("what is not there is not found", async (under, key) => {
    const stored = await under.source.head(key, FOREVER);
    await assert.rejects(under.source.head(randomKey(), FOREVER), NOTHING);
    await under.remove(key);
    await assert.rejects(under.source.head(key, FOREVER), NOTHING);
    await assert.rejects(under.source.read(stored, 0, 10, FOREVER), NOTHING);
  });

  criterion("read() never gives bytes of another version", async (under, key) => {
    const stored = await under.source.head(key, FOREVER);
    await under.put(key, Buffer.from(CONTENT).fill(1, 0, 10)); // as long as it was
    await assert.rejects(under.source.read(stored, 0, 10, FOREVER), { code: "STORE_CORRUPT" });
    const now = await under.source.head(key, FOREVER);
    assert.notEqual(now.version, stored.version);
    assert.deepEqual(await under.source.read(now, 0, 10, FOREVER), Buffer.alloc(10, 1));
  });

  criterion("head() and read() end with the signal's reason", async ({ source }, key) => {
    const stored = await source.head(key, FOREVER);
    const stopped = AbortSignal.abort(new Error("gone"));
    await assert.rejects(source.head(key, stopped), { message: "gone" });
    await assert.rejects(source.read(stored, 0, 10, stopped), { message: "gone" });
    const stop = new AbortController();
    const reading = source.read(stored, 0, CONTENT.length, stop.signal);
    stop.abort(new Error("gone"));
    await assert.rejects(reading, { message: "gone" });
  });

  criterion("no key leads anywhere but to its own bundle", async ({ source }) => {
    for (const key of HOSTILE)
      await assert.rejects(source.head(key, FOREVER), { name: "DumpError" }, JSON.stringify(key));
  });

  criterion("read() takes many at once", async ({ source }, key) => {
    const stored = await source.head(key, FOREVER);
    const places = Array.from({ length: 30 }, (_, at) => at * 100_000);
    const read = await Promise.all(places.map((from) => source.read(stored, from, 100_000, FOREVER)));
    assert.ok(Buffer.concat(read).equals(CONTENT));
  });
}
