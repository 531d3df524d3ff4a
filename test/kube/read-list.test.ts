import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readList } from "../../src/kube/read-list.ts";

/** The text in chunks that end at these places, in the middle of characters too. */
async function* chunks(text: string, cuts: readonly number[] = []): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
  let from = 0;
  for (const end of ends) {
    yield bytes.subarray(from, end);
    from = end;
  }
}

async function read(text: string, cuts?: readonly number[]): Promise<{ head: unknown; items: unknown[] }> {
  const items: unknown[] = [];
  return { head: await readList(chunks(text, cuts), (item) => items.push(item)), items };
}

test("readList() hands out the items, and the head without them", async () => {
  const list = {
    kind: "List",
    items: [{ a: 1 }, { b: [{ c: "}]" }] }],
    metadata: { resourceVersion: "7", x: [{ y: 1 }] },
  };
  assert.deepEqual(await read(JSON.stringify(list, null, 2)), {
    head: { ...list, items: [null, null] },
    items: list.items,
  });
});

test("readList() reads a list of nothing, and one without a list", async () => {
  assert.deepEqual(await read('{"items":[],"metadata":{"resourceVersion":"7"}}'), {
    ...{ head: { items: [], metadata: { resourceVersion: "7" } }, items: [] },
  });
  assert.deepEqual(await read('{"items":null}'), { head: { items: null }, items: [] });
});

test("readList() of any list in any chunks", async () => {
  const item = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(item),
      fc.dictionary(fc.string(), fc.string()),
      fc.array(fc.nat(500)),
      async (items, metadata, cuts) => {
        const seen = await read(JSON.stringify({ items, metadata }), cuts);
        assert.deepEqual(seen.items, JSON.parse(JSON.stringify(items)));
        assert.deepEqual(seen.head, { items: items.map(() => null), metadata: JSON.parse(JSON.stringify(metadata)) });
      },
    ),
  );
});

for (const cut of ['{"items":[{"a":1},', '{"items":[{"a":1', "", '{"items":[{"a":1}]', "no JSON"])
  test(`readList() refuses ${JSON.stringify(cut)}`, () => assert.rejects(read(cut), SyntaxError));
