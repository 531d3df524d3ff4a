import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatBytes, formatDuration, jsonBytes, parseBytes, parseDurationMs } from "../../src/domain/units.ts";

const sizes = [
  { text: "0", want: 0n },
  { text: "1024", want: 1024n },
  { text: "32Gi", want: 32n << 30n },
  { text: "32GiB", want: 32n << 30n },
  { text: " 32 GiB ", want: 32n << 30n },
  { text: "500M", want: 500_000_000n },
  { text: "1k", want: 1000n },
  { text: "1K", want: 1000n },
  { text: "1ki", want: 1024n },
  { text: "1.5Gi", want: 3n << 29n },
  { text: "0.1k", want: 100n },
  { text: "512B", want: 512n },
  { text: "2Ei", want: 2n << 60n },
  { text: "1E", want: 10n ** 18n },
  { text: "999999999999999999Pi", want: 999999999999999999n << 50n },
];
for (const { text, want } of sizes) {
  test(`parseBytes() reads ${JSON.stringify(text)}`, () => assert.equal(parseBytes(text), want));
}

const noSizes = [
  "",
  " ",
  "-1",
  "+1",
  "1e3",
  "0x10",
  "Gi",
  "1 i",
  "1i",
  "1Gi2",
  "1m",
  "1,5Gi",
  ".5Gi",
  "1.",
  "1\n2",
  "٣",
  "NaN",
];
for (const text of noSizes) {
  test(`parseBytes() refuses ${JSON.stringify(text)}`, () => assert.equal(parseBytes(text), undefined));
}

const shownSizes = [
  { bytes: 0, want: "0 B" },
  { bytes: 1023, want: "1023 B" },
  { bytes: 1024, want: "1 KiB" },
  { bytes: 1126, want: "1.1 KiB" },
  { bytes: 10_188, want: "9.9 KiB" },
  { bytes: 10_189, want: "10 KiB" }, // 9.9502: no "9.95", no "10.0"
  { bytes: 214 * 2 ** 20, want: "214 MiB" },
  { bytes: 2 ** 20 - 1, want: "1 MiB" }, // never "1024 KiB"
  { bytes: 2_254_857_830, want: "2.1 GiB" },
  { bytes: 2n ** 64n - 1n, want: "16 EiB" },
];
for (const { bytes, want } of shownSizes) {
  test(`formatBytes() shows ${bytes} as ${want}`, () => assert.equal(formatBytes(bytes), want));
}

test("formatBytes() takes ten characters at the most, and parseBytes() reads it back within a rounding", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 60n - 2n ** 50n }), (bytes) => {
      const text = formatBytes(bytes);
      assert.match(text, /^(\d{1,4}|\d\.\d) [KMGTPE]?i?B$/);
      const back = Number(parseBytes(text));
      assert.ok(Math.abs(back - Number(bytes)) <= Number(bytes) * 0.06, `${bytes} became ${text}`);
    }),
  );
});

test("jsonBytes() is exact up to 2^53 - 1, and stays there", () => {
  const max = BigInt(Number.MAX_SAFE_INTEGER);
  assert.deepEqual([0n, max, max + 1n, 2n ** 63n].map(jsonBytes), [0, Number(max), Number(max), Number(max)]);
});

const spans = [
  { text: "90", want: 90_000 },
  { text: "0", want: 0 },
  { text: "15m", want: 900_000 },
  { text: "1h30m", want: 5_400_000 },
  { text: "2d", want: 172_800_000 },
  { text: "1d2h3m4s5ms", want: 93_784_005 },
  { text: "500ms", want: 500 },
  ...["", " ", "-1s", "1.5s", "30m1h", "1h 30m", "1w", "s", "1s1"].map((text) => ({ text, want: undefined })),
];
for (const { text, want } of spans) {
  test(`parseDurationMs() reads ${JSON.stringify(text)} as ${want}`, () => assert.equal(parseDurationMs(text), want));
}

const shownSpans = [
  { ms: 0, want: "0s" },
  { ms: 310, want: "0.31s" },
  { ms: 9_999, want: "10s" },
  { ms: 12_900, want: "12s" },
  { ms: 60_000, want: "1m" },
  { ms: 61_000, want: "1m1s" },
  { ms: 3_600_000, want: "1h" },
  { ms: 11_520_000, want: "3h12m" },
  { ms: 86_400_000, want: "1d" },
  { ms: 446_400_000, want: "5d4h" },
];
for (const { ms, want } of shownSpans) {
  test(`formatDuration() shows ${ms} ms as ${want}`, () => assert.equal(formatDuration(ms), want));
}

test("formatDuration() writes what parseDurationMs() reads, from 10 s on, never later than it was", () => {
  fc.assert(
    fc.property(fc.integer({ min: 10_000, max: 10 ** 10 }), (ms) => {
      const back = parseDurationMs(formatDuration(ms)) ?? assert.fail(formatDuration(ms));
      assert.ok(back <= ms && ms - back < 3_600_000);
    }),
  );
});
