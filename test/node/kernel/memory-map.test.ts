import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import {
  codeMappings,
  fileAt,
  isVsyscallWithoutPage,
  type Mapping,
  Mappings,
} from "../../../src/node/kernel/memory-map.ts";
import { mappingsOf } from "./maps.ts";
import { stopped } from "./streams.ts";

const parsed = (maps: Buffer): Mapping[] => [...new Mappings(maps).within(0n, 2n ** 64n)];
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
  test(`new Mappings() takes ${line.slice(26).trim().replace(/ +/g, " ")} for ${pages}`, () => {
    assert.deepEqual(parsed(Buffer.from(line)), [{ start: 0x7f0000000000n, end: 0x7f0000002000n, pages }]);
  });
}

test("new Mappings() leaves out what does not look like a line, so that it is read", () => {
  const text = `\n${line("rw-p 0 00:00 0")}garbage\n7f00-zz rw-p 0 00:00 0\n${line("rw-p 0 00:00 0").trim()}`;
  assert.equal(parsed(Buffer.from(text)).length, 2);
});

test("new Mappings() reads a real map as the kernel prints it: sorted, whole, the heap anonymous", async () => {
  using child = await stopped();
  const text = readFileSync(`/proc/${child.pid}/maps`);
  const maps = parsed(text);
  assert.equal(maps.length, text.toString("latin1").trimEnd().split("\n").length);
  assert.ok(maps.every(({ start, end }, at) => start < end && (maps[at - 1]?.end ?? 0n) <= start));
  assert.ok(maps.some(({ pages }) => pages === "anonymous"));
});

test("new Mappings() reads past names of any length and bytes", () => {
  const long = line(`r--s 00000000 fe:00 77                         /${"a".repeat(4000)}\r`);
  const maps = parsed(Buffer.from(long + line("rw-p 00000000 00:00 0 ") + long, "latin1"));
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

test("new Mappings() throws at no bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void parsed(Buffer.from(bytes))));
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

test("within() gives those that overlap, in order", () => {
  fc.assert(
    fc.property(sorted, address, address, (mappings, a, b) => {
      const [from, to] = a < b ? [a, b] : [b, a + 1n];
      const want = mappings.filter(({ start, end }) => start < to && end > from);
      assert.deepEqual([...mappingsOf(mappings).within(from, to)], want);
    }),
  );
});

/** Every third one has code. */
const manyFiles = (count: number): Buffer =>
  Buffer.from(
    Array.from({ length: count }, (_, n) => {
      const [from, to] = [0x400000 + n * 0x2000, 0x400000 + n * 0x2000 + 0x1000].map((at) =>
        at.toString(16).padStart(8, "0"),
      );
      return `${from}-${to} r-${n % 3 === 0 ? "x" : "-"}p 00000000 fe:1f ${n}    /x y/lib${n}.so\n`;
    }).join(""),
  );

test("codeMappings() gives executable mappings of files, and fileAt() the file of any", () => {
  for (const count of [0, 1, 2, 3, 100]) {
    const maps = manyFiles(count);
    const code = [...codeMappings(maps)];
    assert.equal(code.length, Math.max(0, Math.ceil(count / 3) - 1)); // no inode: no file
    if (count > 3) assert.deepEqual(code[0], { start: "00406000", end: "00407000", file: "fe:1f 3", device: "254:31" });
    for (let n = 0; n < count; n++) {
      const start = 0x400000n + BigInt(n) * 0x2000n;
      assert.equal(fileAt(maps, start), n === 0 ? undefined : `fe:1f ${n}`);
      assert.equal(fileAt(maps, start + 1n), undefined);
    }
    assert.equal(fileAt(maps, 0n), undefined);
  }
  const any = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(any, (bytes) => {
      assert.ok([...codeMappings(Buffer.from(bytes))].length < 10);
      fileAt(Buffer.from(bytes), 0x400000n);
    }),
  );
});

test("codeMappings() of 65,000 mappings takes no time that anybody would notice", () => {
  const maps = manyFiles(65_000).toString("latin1").replaceAll("r-xp", "r--p");
  const bytes = Buffer.from(maps, "latin1");
  const before = process.cpuUsage();
  assert.deepEqual([...codeMappings(bytes)], []);
  const ms = process.cpuUsage(before).user / 1000;
  assert.ok(ms < 60, `${ms} ms`);
});
