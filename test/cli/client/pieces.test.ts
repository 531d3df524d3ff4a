import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { type Bytes, inOrder, Pace, scattered, steadily } from "../../../src/cli/client/pieces.ts";
import { DumpError } from "../../../src/domain/failures.ts";

const FOREVER = new AbortController().signal;
const lost = (): DumpError => new DumpError("API_UNAVAILABLE", "Cannot download x: the connection broke off");

/** Bytes that are there, in chunks of 1000, until `breaks` says that the connection is lost. */
function remote(bytes: Buffer, breaks: (request: number, sentBytes: number) => boolean = () => false) {
  let requests = 0;
  const asked: (readonly [number, number])[] = [];
  async function* read(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const request = ++requests;
    asked.push([from, to]);
    for (let at = from; at < to; at += 1000) {
      signal.throwIfAborted();
      if (breaks(request, at - from)) throw lost();
      yield bytes.subarray(at, Math.min(to, at + 1000));
    }
  }
  const pieceEnd = (fromBytes: number, wireBytes: number, plainBytes: number): number =>
    Math.min(bytes.length, fromBytes + Math.min(wireBytes, plainBytes));
  const source: Bytes = { lengthBytes: bytes.length, etag: '"e"', isSteady: false, pieceEnd, read };
  return { remote: source, asked };
}

const small = (): Pace => Object.assign(new Pace(), { bytes: 4096, went: () => undefined, broke: () => undefined });

test("inOrder() and scattered() bring all bytes, wherever connections are lost", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(60_000), fc.array(fc.nat(4)), async (length, at) => {
      const bytes = randomBytes(length);
      const breaks = (request: number, sent: number): boolean =>
        request % 2 === 1 && sent === (at[request] ?? 9) * 1000;
      const how = { pace: small(), signal: FOREVER };
      const chunks = await Array.fromAsync(inOrder(remote(bytes, breaks).remote, how));
      assert.ok(Buffer.concat(chunks).equals(bytes));
      const into = Buffer.alloc(length);
      const all = [{ fromBytes: 0, toBytes: length }];
      await scattered(remote(bytes, breaks).remote, length === 0 ? [] : all, how, async (chunk, position) => {
        chunk.copy(into, position);
      });
      assert.ok(into.equals(bytes));
    }),
    { numRuns: 5 }, // each lost connection costs a pause
  );
});

test("steadily() gives up after so many attempts in a row without a byte, and at once on what does not pass", async () => {
  const how = { pace: small(), signal: FOREVER, patience: 2 };
  const dead = remote(randomBytes(5000), (_, sent) => sent === 0);
  await assert.rejects(Array.fromAsync(steadily(dead.remote, { fromBytes: 0, toBytes: 5000 }, how)), lost());
  assert.equal(dead.asked.length, 2);
  const denied = new DumpError("API_DENIED", "Cannot get coredumps/dump: no");
  const refusing = {
    ...dead.remote,
    read: () => {
      throw denied;
    },
  } as Bytes;
  await assert.rejects(Array.fromAsync(steadily(refusing, { fromBytes: 0, toBytes: 10 }, how)), denied);
});

test("scattered() ends all its requests with the first failure, of the writer too", async () => {
  const { remote: source } = remote(randomBytes(100_000));
  const full = new DumpError("OUTPUT_UNWRITABLE", "Cannot write x: no space left");
  let writes = 0;
  const write = async (): Promise<void> => {
    if (++writes === 3) throw full;
  };
  await assert.rejects(
    scattered(source, [{ fromBytes: 0, toBytes: 100_000 }], { pace: small(), signal: FOREVER }, write),
    full,
  );
  assert.ok(writes < 20, `${writes}`);
});

test("inOrder() asks for little more than is taken, and for nothing when nobody takes any more", async () => {
  const { remote: source, asked } = remote(randomBytes(200_000));
  for await (const _ of inOrder(source, { pace: small(), signal: FOREVER })) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(asked.length <= 5, `${asked.length}`);
});

test("Pace asks for what comes in seconds, far below a minute, and for less when the link breaks", () => {
  const pace = new Pace();
  const slow = 10_000; // bytes a second
  for (let round = 0; round < 20; round++) pace.went(pace.bytes, (pace.bytes / slow) * 1000);
  assert.ok(pace.bytes / slow < 10, `${pace.bytes}`);
  for (let round = 0; round < 20; round++) pace.went(pace.bytes, 1);
  assert.equal(pace.bytes, 64 << 20);
  for (let round = 0; round < 20; round++) pace.broke();
  assert.equal(pace.bytes, 64 << 10);
});
