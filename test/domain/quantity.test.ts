import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatQuantity, parseQuantity, readableQuantity, shortQuantity } from "../../src/domain/quantity.ts";

const NANO = 10n ** 9n;

/** As Kubernetes's own resource.Quantity reads and writes them. */
const cases = [
  { text: "0", nanos: 0n, canonical: "0" },
  { text: "1", nanos: NANO, canonical: "1" },
  { text: 1024, nanos: 1024n * NANO, canonical: "1024" }, // the schema takes numbers, too
  { text: "1Ki", nanos: 1024n * NANO, canonical: "1Ki" },
  { text: "1024Mi", nanos: 1024n ** 3n * NANO, canonical: "1Gi" },
  { text: "1.5Gi", nanos: 1536n * 1024n ** 2n * NANO, canonical: "1536Mi" },
  { text: "0.5Ki", nanos: 512n * NANO, canonical: "512" }, // below 1Ki, binary ones are decimal
  { text: "1.5", nanos: 1500n * 10n ** 6n, canonical: "1500m" },
  { text: "1500m", nanos: 1500n * 10n ** 6n, canonical: "1500m" },
  { text: "+2k", nanos: 2000n * NANO, canonical: "2k" },
  { text: "1e3", nanos: 1000n * NANO, canonical: "1e3" },
  { text: "12E6", nanos: 12n * 10n ** 6n * NANO, canonical: "12e6" },
  { text: "1E", nanos: 10n ** 18n * NANO, canonical: "1E" }, // exa, not an exponent
  { text: "1E-3", nanos: 10n ** 6n, canonical: "1e-3" },
  { text: "0.1n", nanos: 1n, canonical: "1n" }, // finer than the API goes: rounded up
  { text: ".5", nanos: NANO / 2n, canonical: "500m" },
  { text: "5.", nanos: 5n * NANO, canonical: "5" },
  { text: "-1Gi", nanos: -(1024n ** 3n) * NANO, canonical: "-1Gi" },
  { text: "8Ei", nanos: 8n * 1024n ** 6n * NANO, canonical: "8Ei" }, // beyond int64
];
for (const { text, nanos, canonical } of cases) {
  test(`parseQuantity() reads ${JSON.stringify(text)}, formatQuantity() writes it as ${canonical}`, () => {
    const quantity = parseQuantity(text);
    assert.equal(quantity?.nanos, nanos);
    assert.equal(quantity && formatQuantity(quantity), canonical);
  });
}

for (const text of [
  "",
  " ",
  "1 Gi",
  "Gi",
  ".",
  "1..2",
  "1Kib",
  "0x10",
  "1e",
  "1e99",
  "1e9999",
  `${"9".repeat(80)}`,
  "NaN",
  null,
  undefined,
  {},
])
  test(`parseQuantity() takes ${JSON.stringify(text)} for none`, () => assert.equal(parseQuantity(text), undefined));

const formats = fc.constantFrom("binary", "decimal", "exponent") as fc.Arbitrary<"binary" | "decimal" | "exponent">;

test("formatQuantity() loses nothing, and is as short as it can be", () => {
  const nanos = fc.oneof(
    fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n }),
    fc.bigInt({ min: 0n, max: 2n ** 63n }).map((bytes) => bytes * NANO),
    fc
      .tuple(fc.bigInt({ min: 0n, max: 2000n }), fc.integer({ min: 0, max: 6 }))
      .map(([n, e]) => n * 1024n ** BigInt(e) * NANO),
  );
  fc.assert(
    fc.property(nanos, formats, (nanos, format) => {
      const text = formatQuantity({ nanos, format });
      assert.equal(parseQuantity(text)?.nanos, nanos);
      assert.equal(formatQuantity({ nanos, format: parseQuantity(text)?.format ?? format }), text);
      assert.doesNotMatch(text, /\./);
    }),
  );
});

test("parseQuantity() takes any text without a fuss", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+.0-9eEKMGi]{0,80}$/)), (text) => void parseQuantity(text)),
  );
});

const readable = [
  { bytes: 0n, want: "0" },
  { bytes: 1000n, want: "1k" },
  { bytes: 2174976n, want: "2124Ki" },
  { bytes: 1024n ** 3n + 1n, want: "1.01Gi" }, // rounded up: it does not fit into 1Gi
  { bytes: (1024n ** 3n * 3n) / 2n + 4096n, want: "1.51Gi" },
  { bytes: 1024n ** 2n * 1000n - 1n, want: "1000Mi" },
  { bytes: 10n ** 18n + 1n, want: "888.18Pi" },
];
for (const { bytes, want } of readable)
  test(`readableQuantity() writes ${bytes} as ${want}`, () =>
    assert.equal(readableQuantity({ nanos: bytes * NANO, format: "decimal" }), want));

test("shortQuantity() loses nothing", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 62n }), (bytes) => {
      const text = shortQuantity({ nanos: bytes * NANO, format: "decimal" });
      assert.equal(parseQuantity(text)?.nanos, bytes * NANO);
    }),
  );
});
