import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonPatch, mergePatch, PatchError } from "../../../src/api/server/json-patch.ts";

/** RFC 7386, appendix A. */
const merges: readonly [unknown, unknown, unknown][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];
for (const [target, patch, want] of merges)
  test(`mergePatch() makes ${JSON.stringify(want)} of ${JSON.stringify(target)} by ${JSON.stringify(patch)}`, () =>
    assert.deepEqual(mergePatch(target, patch), want));

/** RFC 6902, appendix A, and what it leaves out. */
const patches: readonly { on: string; target: unknown; patch: unknown; want?: unknown }[] = [
  {
    on: "add a member",
    target: { foo: "bar" },
    patch: [{ op: "add", path: "/baz", value: "qux" }],
    want: { foo: "bar", baz: "qux" },
  },
  {
    on: "add an element",
    target: ["bar", "baz"],
    patch: [{ op: "add", path: "/1", value: "qux" }],
    want: ["bar", "qux", "baz"],
  },
  { on: "add to the end", target: ["a"], patch: [{ op: "add", path: "/-", value: ["b"] }], want: ["a", ["b"]] },
  {
    on: "remove a member",
    target: { baz: "qux", foo: "bar" },
    patch: [{ op: "remove", path: "/baz" }],
    want: { foo: "bar" },
  },
  {
    on: "remove an element",
    target: { foo: [1, 2, 3] },
    patch: [{ op: "remove", path: "/foo/1" }],
    want: { foo: [1, 3] },
  },
  {
    on: "replace",
    target: { baz: "qux" },
    patch: [{ op: "replace", path: "/baz", value: "boo" }],
    want: { baz: "boo" },
  },
  { on: "replace the whole", target: { a: 1 }, patch: [{ op: "replace", path: "", value: { b: 2 } }], want: { b: 2 } },
  {
    on: "move a value",
    target: { foo: { bar: 1 }, qux: {} },
    patch: [{ op: "move", from: "/foo/bar", path: "/qux/thud" }],
    want: { foo: {}, qux: { thud: 1 } },
  },
  { on: "move an element", target: [1, 2, 3, 4], patch: [{ op: "move", from: "/1", path: "/3" }], want: [1, 3, 4, 2] },
  {
    on: "copy",
    target: { a: { b: 1 } },
    patch: [{ op: "copy", from: "/a", path: "/c" }],
    want: { a: { b: 1 }, c: { b: 1 } },
  },
  {
    on: "test",
    target: { "/": 9, "~1": 10 },
    patch: [{ op: "test", path: "/~01", value: 10 }],
    want: { "/": 9, "~1": 10 },
  },
  { on: "add null", target: {}, patch: [{ op: "add", path: "/a", value: null }], want: { a: null } },
  {
    on: "a field called __proto__",
    target: {},
    patch: [{ op: "add", path: "/__proto__", value: { x: 1 } }],
    want: JSON.parse('{"__proto__":{"x":1}}'),
  },
  { on: "a test that fails", target: { a: "b" }, patch: [{ op: "test", path: "/a", value: "c" }] },
  { on: "a number is no text", target: { a: 10 }, patch: [{ op: "test", path: "/a", value: "10" }] },
  { on: "no parent", target: {}, patch: [{ op: "add", path: "/a/b", value: 1 }] },
  { on: "nothing to replace", target: {}, patch: [{ op: "replace", path: "/a", value: 1 }] },
  { on: "nothing to remove", target: {}, patch: [{ op: "remove", path: "/a" }] },
  { on: "an inherited field", target: {}, patch: [{ op: "remove", path: "/constructor" }] },
  { on: "below an inherited field", target: {}, patch: [{ op: "add", path: "/__proto__/polluted", value: 1 }] },
  { on: "an index too far", target: [1], patch: [{ op: "add", path: "/2", value: 1 }] },
  { on: "an index with a zero before", target: [1, 2], patch: [{ op: "remove", path: "/01" }] },
  { on: "a sign for an index", target: [1, 2], patch: [{ op: "remove", path: "/-" }] },
  { on: "the whole removed", target: {}, patch: [{ op: "remove", path: "" }] },
  { on: "into itself", target: { a: { b: 1 } }, patch: [{ op: "move", from: "/a", path: "/a/c" }] },
  { on: "no pointer", target: {}, patch: [{ op: "add", path: "a", value: 1 }] },
  { on: "no value", target: {}, patch: [{ op: "add", path: "/a" }] },
  { on: "no op", target: {}, patch: [{ path: "/a" }] },
  { on: "no list", target: {}, patch: {} },
  { on: "no objects", target: {}, patch: [null] },
  { on: "too many", target: {}, patch: Array.from({ length: 10_001 }, () => ({ op: "test", path: "", value: {} })) },
  {
    on: "copies of copies",
    target: { a: "x".repeat(1000) },
    patch: Array.from({ length: 40 }, (_, index) => ({ op: "copy", from: "", path: `/${index}` })),
  },
];
for (const { on, target, patch, want } of patches)
  test(`jsonPatch(): ${on}`, () => {
    const before = structuredClone(target);
    if (want === undefined) assert.throws(() => jsonPatch(target, patch), PatchError);
    else assert.deepEqual(jsonPatch(target, patch), want);
    assert.deepEqual(target, before);
  });

const json = fc.jsonValue({ maxDepth: 4 });

test("mergePatch() twice is mergePatch() once, and leaves no null that the patch did not have", () => {
  fc.assert(
    fc.property(json, json, (target, patch) => {
      const once = mergePatch(target, patch);
      assert.deepEqual(mergePatch(once, patch), once);
    }),
  );
});

test("jsonPatch() gives JSON or a PatchError for anything, and nothing is polluted", () => {
  const part = fc.constantFrom("a", "b", "0", "1", "-", "__proto__", "constructor", "~0", "~1", "");
  const path = fc.array(part, { maxLength: 3 }).map((parts) => parts.map((each) => `/${each}`).join(""));
  const op = fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "x");
  const operation = fc.record({ op, path, from: path, value: json });
  fc.assert(
    fc.property(json, fc.array(operation, { maxLength: 6 }), (target, patch) => {
      try {
        JSON.stringify(jsonPatch(target, patch));
      } catch (error) {
        assert.ok(error instanceof PatchError, String(error));
      }
      assert.deepEqual(Object.keys(Object.prototype), []);
    }),
    { numRuns: 1000 },
  );
});

test("jsonPatch() ends a patch that would make much of little", () => {
  const text = { long: "x".repeat(100_000) };
  const below = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}{}${"}".repeat(depth)}`);
  const patches = [
    Array.from({ length: 10_000 }, (_, at) => ({ op: "copy", from: "/long", path: `/${at}` })),
    Array.from({ length: 10_000 }, () => ({ op: "test", path: "", value: text })).map((each, at) =>
      at % 2 ? each : { op: "add", path: `/${at}`, value: Array(1000).fill(0) },
    ),
    Array.from({ length: 300 }, () => [
      { op: "add", path: "/x", value: below(50) },
      { op: "move", from: "/y", path: "/x/a/a" },
      { op: "move", from: "/x", path: "/y" },
      { op: "copy", from: "/y", path: "/z" },
    ]).flat(),
    [{ op: "test", path: "/a".repeat(100), value: 1 }],
    [{ op: "test", path: `/${"a".repeat(5000)}`, value: 1 }],
  ];
  for (const patch of patches) assert.throws(() => jsonPatch({ ...text, y: {} }, patch), PatchError);
});

test("jsonPatch() takes ten thousand operations, and what they put in is not shared", () => {
  const value: { list: number[] } = { list: [] };
  const fill = Array.from({ length: 5000 }, (_, at) => ({ op: "add", path: "/a/list/-", value: at }));
  const patch = [{ op: "add", path: "/a", value }, { op: "copy", from: "/a", path: "/b" }, ...fill];
  const result = jsonPatch({}, patch) as Record<string, typeof value>;
  assert.deepEqual([result["a"]?.list.length, result["b"]?.list.length, value.list.length], [5000, 0, 0]);
});
