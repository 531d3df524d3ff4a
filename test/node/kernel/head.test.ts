import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readHead } from "../../../src/node/kernel/head.ts";
import { buildCore, LSB64, type Part } from "../../crash/elf/build.ts";
import { fixture, NAMES } from "../../crash/elf/fixtures.ts";
import { pipeOf, streamOf } from "./streams.ts";

const headOf = async (bytes: Uint8Array) => {
  using stream = streamOf(bytes);
  return { ...(await readHead(stream.pipe)), taken: Number(stream.pipe.positionBytes) };
};

for (const name of NAMES) {
  test(`readHead() of the ${name} core takes its headers and no more, and knows its length`, async () => {
    const core = fixture(name);
    const head = await headOf(core);
    assert.equal(head.expectedBytes, BigInt(core.length));
    assert.ok(head.bytes.equals(core.subarray(0, head.bytes.length)));
    assert.equal(head.taken, head.bytes.length);
    assert.notEqual(head.plan === undefined, head.noPlan === undefined);
  });
}

test("readHead() reads on until it has what it wants, however small the pieces", async () => {
  const core = fixture("segv");
  using stream = pipeOf(core.subarray(0, 8192), 7);
  assert.equal((await readHead(stream.pipe)).expectedBytes, BigInt(core.length));
});

test("readHead() of a core that ends within its headers keeps what came", async () => {
  const core = fixture("segv");
  const { length } = (await headOf(core)).bytes;
  for (const cut of [0, 1, 63, 64, 119, 120, 121, length - 1]) {
    const head = await headOf(core.subarray(0, cut));
    assert.ok(head.bytes.equals(core.subarray(0, cut)));
    assert.deepEqual([head.expectedBytes, head.plan], [undefined, undefined]);
    assert.ok(head.noPlan);
  }
});

test("readHead() holds no more than a few megabytes of a table that hostile headers announce", async () => {
  const parts: Part[] = Array.from({ length: 4 }, (_, i) => ({ vaddr: BigInt(i) << 20n, bytes: Buffer.alloc(4096) }));
  const core = buildCore({ abi: LSB64, parts });
  core.writeUInt16LE(0xffff, 56); // PN_XNUM
  core.writeBigUInt64LE(64n + 56n * 3_000_000n, 64 + 8); // where the notes begin, and the table ends
  const head = await headOf(core);
  assert.ok(head.bytes.length <= 120);
  assert.deepEqual([head.plan, head.expectedBytes], [undefined, undefined]);
});

test("readHead() throws at no bytes, and never takes more than it keeps", async () => {
  const core = fixture("segv").subarray(0, 4096);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const changed = Buffer.from(core);
      for (const [at, byte] of changes) changed[at] = byte;
      return changed;
    }),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (bytes) => {
      const head = await headOf(bytes);
      assert.equal(head.taken, head.bytes.length);
      assert.ok(head.bytes.equals(Buffer.from(bytes).subarray(0, head.taken)));
    }),
    { numRuns: 60 },
  );
});
