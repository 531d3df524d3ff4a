/** The core's table of memory, as large as a table can be, in any order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ProgramHeader } from "../../src/crash/elf/program-headers.ts";
import { Segments } from "../../src/crash/process/memory.ts";

const load = (vaddr: bigint, memBytes: bigint, flags = 4): ProgramHeader => ({
  ...{ type: 1, flags, offsetBytes: vaddr + 1n, vaddr, fileBytes: memBytes, memBytes },
});

test("Segments finds what holds an address, and what begins above it, whatever the order of the table", () => {
  const gaps = fc.array(fc.tuple(fc.bigInt({ min: 0n, max: 3n }), fc.bigInt({ min: 1n, max: 3n })), { maxLength: 12 });
  fc.assert(
    fc.property(gaps, fc.infiniteStream(fc.nat()), fc.bigInt({ min: 0n, max: 60n }), (steps, keys, address) => {
      let end = 0n;
      const sorted = steps.map(([gap, length], i) => {
        end += gap + length;
        return load(end - length, length, i % 2);
      });
      const keyed = sorted.map((header) => ({ header, key: keys.next().value ?? 0 }));
      const headers = [
        { ...load(0n, 9n), type: 4 },
        ...keyed.sort((a, b) => a.key - b.key).map(({ header }) => header),
      ];
      const segments = new Segments({ headers, count: headers.length });
      const [at, next] = [segments.at(address), segments.after(address)];
      const want = sorted.find(({ vaddr, memBytes }) => vaddr <= address && address < vaddr + memBytes);
      assert.deepEqual([at?.start, at?.executable], [want?.vaddr, want && want.flags === 1]);
      assert.equal(next?.start, sorted.find(({ vaddr }) => vaddr > address)?.vaddr);
    }),
  );
});

test("Segments of a million headers takes no more than their columns", () => {
  const count = 1 << 20;
  const headers = {
    *[Symbol.iterator]() {
      for (let n = count; n > 0; n--) yield load(BigInt(n) << 13n, 4096n);
    },
  };
  const before = process.memoryUsage().arrayBuffers;
  const segments = new Segments({ headers, count });
  assert.equal(segments.at((1n << 13n) + 4095n)?.start, 1n << 13n);
  assert.ok(process.memoryUsage().arrayBuffers - before < 160 << 20); // twice the columns: they were sorted
});
