import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { extract } from "tar-stream";
import { paddingBytes, parseTarHeader, tarHeader } from "../../../src/store/bundle/tar.ts";

const TIME = new Date("2026-11-21T07:21:03.512Z");

for (const sizeBytes of [0, 1, 512, 2 ** 33 - 1, 2 ** 33, 2 ** 40]) {
  test(`tarHeader() of ${sizeBytes} bytes is what others read`, async () => {
    const reader = extract();
    const seen = new Promise((resolve) =>
      reader.on("entry", ({ name, size, mode, mtime, type }) => resolve({ name, size, mode, mtime, type })),
    );
    reader.write(tarHeader({ name: "core", sizeBytes }, TIME));
    const mtime = new Date("2026-11-21T07:21:03Z");
    assert.deepEqual(await seen, { name: "core", size: sizeBytes, mode: 0o600, mtime, type: "file" });
    reader.on("error", () => undefined).destroy();
  });
}

test("parseTarHeader() reads what tarHeader() wrote", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 100, unit: fc.constantFrom(..."abc/._") }),
      fc.maxSafeNat(),
      (name, sizeBytes) => {
        assert.deepEqual(parseTarHeader(tarHeader({ name, sizeBytes }, TIME)), { name, sizeBytes });
        assert.equal((sizeBytes + paddingBytes(sizeBytes)) % 512, 0);
      },
    ),
  );
});

test("parseTarHeader() believes no block that is not one", () => {
  const header = tarHeader({ name: "core", sizeBytes: 5 }, TIME);
  fc.assert(
    fc.property(fc.nat(511), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const block = Buffer.from(header);
      block[at] = (block[at] ?? 0) ^ change;
      const parsed = parseTarHeader(block);
      if (parsed) assert.deepEqual(parsed, { name: "core", sizeBytes: 5 }); // a change in what fills the checksum's field
    }),
    { numRuns: 1000 },
  );
  assert.equal(parseTarHeader(Buffer.alloc(512)), undefined);
  assert.equal(parseTarHeader(header.subarray(1)), undefined);
});
