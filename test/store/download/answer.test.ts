import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answerFor } from "../../../src/store/download/answer.ts";

const WHAT = { etag: '"abc"', lengthBytes: 1000, filename: "a.core", contentType: "application/octet-stream" };
const WHOLE = { fromBytes: 0, toBytes: 1000 };

const cases: readonly {
  on: string;
  headers: Record<string, string>;
  want: number;
  range?: [number, number];
  lengthBytes?: number;
}[] = [
  { on: "no header", headers: {}, want: 200, range: [0, 1000] },
  { on: "a range", headers: { range: "bytes=10-19" }, want: 206, range: [10, 20] },
  { on: "one byte", headers: { range: "bytes=0-0" }, want: 206, range: [0, 1] },
  { on: "the last byte", headers: { range: "bytes=999-999" }, want: 206, range: [999, 1000] },
  { on: "a range with blanks", headers: { range: " bytes = 10-19 " }, want: 206, range: [10, 20] },
  { on: "an open range", headers: { range: "bytes=990-" }, want: 206, range: [990, 1000] },
  { on: "a range beyond the end", headers: { range: "bytes=990-5000" }, want: 206, range: [990, 1000] },
  { on: "a range beyond all numbers", headers: { range: `bytes=5-${"9".repeat(400)}` }, want: 206, range: [5, 1000] },
  { on: "the last bytes", headers: { range: "bytes=-10" }, want: 206, range: [990, 1000] },
  { on: "more last bytes than there are", headers: { range: "bytes=-5000" }, want: 206, range: [0, 1000] },
  { on: "a range behind the end", headers: { range: "bytes=1000-" }, want: 416 },
  { on: "a range far behind it", headers: { range: `bytes=${"9".repeat(400)}-` }, want: 416 },
  { on: "the last none", headers: { range: "bytes=-0" }, want: 416 },
  { on: "a range of nothing", headers: { range: "bytes=0-" }, want: 416, lengthBytes: 0 },
  { on: "the last of nothing", headers: { range: "bytes=-5" }, want: 200, range: [0, 0], lengthBytes: 0 },
  // RFC 9110, 14.2: a server may ignore what it does not serve, and must ignore what it does not understand.
  { on: "several ranges", headers: { range: "bytes=0-1,5-6" }, want: 200, range: [0, 1000] },
  { on: "another unit", headers: { range: "lines=0-1" }, want: 200, range: [0, 1000] },
  { on: "a range backwards", headers: { range: "bytes=9-5" }, want: 200, range: [0, 1000] },
  { on: "no numbers", headers: { range: "bytes=-" }, want: 200, range: [0, 1000] },
  { on: "negative numbers", headers: { range: "bytes=--5" }, want: 200, range: [0, 1000] },
  { on: "If-Range of this", headers: { range: "bytes=5-9", "if-range": '"abc"' }, want: 206, range: [5, 10] },
  { on: "If-Range of another", headers: { range: "bytes=5-9", "if-range": '"x"' }, want: 200, range: [0, 1000] },
  { on: "If-Range, weak", headers: { range: "bytes=5-9", "if-range": 'W/"abc"' }, want: 200, range: [0, 1000] },
  {
    on: "If-Range with a time",
    headers: { range: "bytes=5-9", "if-range": "Sat, 21 Nov 2026 07:21:03 GMT" },
    want: 200,
    range: [0, 1000],
  },
  {
    on: "If-Range of another, unsatisfiable",
    headers: { range: "bytes=5000-", "if-range": '"x"' },
    want: 200,
    range: [0, 1000],
  },
  { on: "If-None-Match of this", headers: { "if-none-match": '"x", W/"abc"' }, want: 304 },
  { on: "If-None-Match of this and a range", headers: { "if-none-match": '"abc"', range: "bytes=5-9" }, want: 304 },
  { on: "If-None-Match of any", headers: { "if-none-match": "*" }, want: 304 },
  { on: "If-None-Match of another", headers: { "if-none-match": '"x"' }, want: 200, range: [0, 1000] },
  { on: "If-Match of this", headers: { "if-match": '"x", "abc"', range: "bytes=5-9" }, want: 206, range: [5, 10] },
  { on: "If-Match, weak", headers: { "if-match": 'W/"abc"' }, want: 412 },
  { on: "If-Match of another", headers: { "if-match": '"x"', "if-none-match": '"abc"' }, want: 412 },
  { on: "If-Match of any", headers: { "if-match": "*" }, want: 200, range: [0, 1000] },
];
for (const { on, headers, want, range, lengthBytes = 1000 } of cases)
  test(`answerFor() answers ${want} to ${on}`, () => {
    const { status, headers: answered, range: sent } = answerFor({ ...WHAT, lengthBytes }, "GET", headers);
    assert.equal(status, want);
    assert.deepEqual(sent, range && { fromBytes: range[0], toBytes: range[1] });
    assert.equal(answered["etag"], '"abc"');
    if (range) assert.equal(answered["content-length"], `${range[1] - range[0]}`);
    const contentRange =
      want === 416 ? `bytes */${lengthBytes}` : range && `bytes ${range[0]}-${range[1] - 1}/${lengthBytes}`;
    assert.equal(answered["content-range"], want === 200 ? undefined : contentRange);
  });

test("answerFor() says of HEAD what GET would send, and ignores ranges", () => {
  const { status, headers, range } = answerFor(WHAT, "HEAD", { range: "bytes=5-9" });
  assert.deepEqual([status, headers["content-length"], range], [200, "1000", undefined]);
  assert.equal(headers["content-disposition"], 'attachment; filename="a.core"');
  assert.equal(answerFor(WHAT, "HEAD", { "if-none-match": '"abc"' }).status, 304);
});

test("answerFor() sends nothing but bytes that there are, whatever is asked", () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^bytes ?= ?\d{0,5}-\d{0,5}$/),
    fc.stringMatching(/^bytes=[-\d,]*$/),
  );
  const header = fc.option(text, { nil: undefined });
  const headers = fc.record({ range: header, "if-range": header, "if-match": header, "if-none-match": header });
  fc.assert(
    fc.property(headers, fc.nat(2000), (headers, lengthBytes) => {
      const { status, range, headers: answered } = answerFor({ ...WHAT, lengthBytes }, "GET", headers);
      const { fromBytes, toBytes } = range ?? WHOLE;
      if (range) assert.ok(fromBytes >= 0 && fromBytes <= toBytes && toBytes <= lengthBytes);
      if (status === 206) assert.ok(fromBytes < toBytes);
      if (status === 200) assert.deepEqual(range, { fromBytes: 0, toBytes: lengthBytes });
      for (const value of Object.values(answered)) assert.match(value, /^[\x20-\x7e]*$/);
    }),
  );
});
