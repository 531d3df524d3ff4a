import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { isVsyscallWithoutPage, type Mapping, mappingsIn, parseMaps } from "../../src/kernel/memory-map.ts";
import { stopped } from "./streams.ts";

const line = (rest: string) => `7f0000000000-7f0000002000 ${rest}\n`;
const cases: readonly { line: string; pages: Mapping["pages"] }[] = [
  { line: line("rw-p 00000000 00:00 0 "), pages: "anonymous" },
  { line: line("---p 00000000 00:00 0"), pages: "anonymous" }, // PROT_NONE: never touched, or unreadable and drained
  { line: line("rw-p 00000000 00:00 0                          [heap]"), pages: "anonymous" },
  { line: line("rw-p 00000000 00:00 0                          [stack]"), pages: "anonymous" },
  { line: line("rw-p 00000000 00:00 0                          [anon:name]"), pages: "anonymous" },
  { line: line("rw-p 00000000 00:00 0                          [anon: [x]\\012]"), pages: "anonymous" },
  { line: line("r-xp 00000000 00:00 0                          [vdso]"), pages: "any" }, // absent until touched, yet not zeros
  { line: line("r--p 00000000 00:00 0                          [vvar]"), pages: "none" },
  { line: line("r--p 00000000 00:00 0                          [vvar_vclock]"), pages: "none" },
  { line: line("--xp 00000000 00:00 0                          [vsyscall]"), pages: "any" },
  { line: line("rw-s 00000000 00:00 0                          [anon:shared]"), pages: "any" },
  { line: line("rw-s 00000000 00:01 5                          /dev/zero (deleted)"), pages: "any" },
  { line: line("rw-p 00000000 fe:00 77                         /usr/bin/x"), pages: "any" },
  { line: line("rw-p 00000000 00:2f 77                         [heap]"), pages: "any" }, // a file called so
  { line: line("rw-p 00000000 00:00 77                         "), pages: "any" },
  { line: line("rw-p 00000000 00:00 0                          [new in Linux 9]"), pages: "any" },
];
for (const { line, pages } of cases) {
  test(`parseMaps() takes ${line.slice(26).trim().replace(/ +/g, " ")} for ${pages}`, () => {
    assert.deepEqual(parseMaps(Buffer.from(line)), [{ start: 0x7f0000000000n, end: 0x7f0000002000n, pages }]);
  });
}

test("parseMaps() leaves out what does not look like a line, so that it is read", () => {
  const text = `\n${line("rw-p 0 00:00 0")}garbage\n7f00-zz rw-p 0 00:00 0\n${line("rw-p 0 00:00 0").trim()}`;
  assert.equal(parseMaps(Buffer.from(text)).length, 2);
});

test("parseMaps() reads a real map as the kernel prints it: sorted, whole, the heap anonymous", async () => {
  using child = await stopped();
  const text = readFileSync(`/proc/${child.pid}/maps`);
  const maps = parseMaps(text);
  assert.equal(maps.length, text.toString("latin1").trimEnd().split("\n").length);
  assert.ok(maps.every(({ start, end }, at) => start < end && (maps[at - 1]?.end ?? 0n) <= start));
  assert.ok(maps.some(({ pages }) => pages === "anonymous"));
});

test("parseMaps() reads past names of any length and bytes", () => {
  const long = line(`r--s 00000000 fe:00 77                         /${"a".repeat(4000)}\r`);
  const maps = parseMaps(Buffer.from(long + line("rw-p 00000000 00:00 0 ") + long, "latin1"));
  assert.deepEqual(
    maps.map(({ pages }) => pages),
    ["any", "anonymous", "any"],
  );
});

test("isVsyscallWithoutPage() believes the last line only", () => {
  const vsyscall = "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";
  const first = line("rw-p 00000000 00:00 0 ");
  const is = (maps: string) => isVsyscallWithoutPage(Buffer.from(maps), 0xffffffffff600000n);
  assert.ok(is(first + vsyscall) && is(vsyscall) && is(first + vsyscall.trim()));
  for (const other of ["", "\n", first, vsyscall + first, first + vsyscall.replace("--xp", "r-xp")])
    assert.equal(is(other), false);
});

test("parseMaps() throws at no bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void parseMaps(Buffer.from(bytes))));
});

/** Mappings in order, with and without gaps between them. */
const sorted = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 5 })), { maxLength: 20 })
  .map((steps) => {
    let at = 0n;
    return steps.map(([gap, length]): Mapping => {
      const start = at + BigInt(gap);
      at = start + BigInt(length);
      return { start, end: at, pages: "any" };
    });
  });
const address = fc.bigInt({ min: 0n, max: 120n });

test("mappingsIn() gives those that overlap, in order", () => {
  fc.assert(
    fc.property(sorted, address, address, (mappings, a, b) => {
      const [from, to] = a < b ? [a, b] : [b, a + 1n];
      const want = mappings.filter(({ start, end }) => start < to && end > from);
      assert.deepEqual([...mappingsIn(mappings, from, to)], want);
    }),
  );
});
