import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { printable, textOf } from "../../src/domain/text.ts";

const anyBytes = fc.uint8Array({ maxLength: 64 });
const anyText = fc.string({ unit: "binary", maxLength: 64 });

const texts = [
  { on: "nothing", bytes: [], want: "" },
  { on: "ASCII, controls included", bytes: [0x61, 0x0a, 0x1b], want: "a\n\x1b" },
  { on: "four bytes of UTF-8", bytes: [0xf0, 0x9f, 0x92, 0xa5], want: "💥" },
  { on: "a true U+FFFD", bytes: [0xef, 0xbf, 0xbd], want: "\ufffd" },
  { on: "a byte order mark, which is not dropped", bytes: [0xef, 0xbb, 0xbf, 0x61], want: "\ufeffa" },
  { on: "latin-1 between ASCII", bytes: [0x61, 0xe9, 0x62], want: "a\\xe9b" },
  { on: "a sequence that is cut off", bytes: [0x61, 0xe2, 0x82], want: "a\\xe2\\x82" },
  { on: "an overlong slash", bytes: [0xc0, 0xaf], want: "\\xc0\\xaf" },
  { on: "an encoded surrogate", bytes: [0xed, 0xa0, 0x80], want: "\\xed\\xa0\\x80" },
  { on: "beyond U+10FFFF", bytes: [0xf4, 0x90, 0x80, 0x80], want: "\\xf4\\x90\\x80\\x80" },
  { on: "invalid before valid", bytes: [0xff, 0xc3, 0xa9], want: "\\xffé" },
];
for (const { on, bytes, want } of texts) {
  test(`textOf() reads ${on}`, () => assert.equal(textOf(Uint8Array.from(bytes)), want));
}

test("textOf() leaves valid UTF-8 unchanged", () => {
  fc.assert(fc.property(anyText, (text) => assert.equal(textOf(Buffer.from(text)), text)));
});

test("textOf() makes valid Unicode of any bytes, and keeps every ASCII byte", () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const text = textOf(bytes);
      assert.ok(text.isWellFormed());
      for (const byte of bytes) if (byte < 0x80) assert.ok(text.includes(String.fromCharCode(byte)));
    }),
  );
});

test("textOf() reads the view it is given, not the buffer behind it", () => {
  const all = Buffer.from("xcrashy");
  assert.equal(textOf(new Uint8Array(all.buffer, all.byteOffset + 1, 5)), "crash");
});

const prints = [
  { on: "a colour sequence", text: "\x1b[31mred", want: "\\x1b[31mred" },
  { on: "a title sequence", text: "\x1b]0;owned\x07", want: "\\x1b]0;owned\\x07" },
  { on: "C1's one-byte CSI", text: "\x9b31m", want: "\\x9b31m" },
  { on: "line ends and tabs", text: "a\r\n\tb", want: "a\\x0d\\n\\tb" },
  { on: "other line ends", text: "a\u2028b\u2029c\u0085", want: "a\\u2028b\\u2029c\\x85" },
  { on: "NUL and DEL", text: "\0\x7f", want: "\\x00\\x7f" },
  { on: "a bidi override", text: "exe\u202egnp.sh", want: "exe\\u202egnp.sh" },
  { on: "bidi isolates", text: "\u2066a\u2069", want: "\\u2066a\\u2069" },
  { on: "what takes no room", text: "a\u200b\u00ad\u2060\ufeffb", want: "a\\u200b\\xad\\u2060\\ufeffb" },
  { on: "invisible tags", text: "a\u{e0041}b", want: "a\\u{e0041}b" },
  { on: "half a surrogate pair", text: "a\ud800b", want: "a\\ud800b" },
];
for (const { on, text, want } of prints) {
  test(`printable() escapes ${on}`, () => assert.equal(printable(text), want));
}

test("printable() leaves what people write unchanged", () => {
  for (const text of ["/usr/bin/naïve --x='1'", "ジャワ", "💥", "עברית", "a\\b", "é"])
    assert.equal(printable(text), text);
});

test("printable() lets no control or format character through, whatever the bytes", () => {
  const hostile = fc.oneof(
    anyText,
    anyBytes.map(textOf),
    anyBytes.map((bytes) => Buffer.from(bytes).toString("utf16le")),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      const shown = printable(text);
      assert.ok(shown.isWellFormed());
      assert.doesNotMatch(shown, /[\0-\x1f\x7f-\x9f]|\p{Cf}|\u2028|\u2029/u);
      assert.equal(printable(shown), shown);
    }),
    { numRuns: 1000 },
  );
});
