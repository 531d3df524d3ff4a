import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CAPTURE_OPTIONS, KERNEL_OPTIONS, NODE_OPTIONS, type Option } from "../../src/config/options.ts";
import { expected, parseValue, valuesOf } from "../../src/config/values.ts";

const of = (kind: Option["kind"]): Option => ({ flag: "x", kind, describe: "" });
const ALL: readonly Option[] = [NODE_OPTIONS, CAPTURE_OPTIONS, KERNEL_OPTIONS].flatMap((group) =>
  Object.values<Option>(group),
);

const cases = [
  { kind: "text", text: " ", want: " " },
  { kind: "text", text: "", want: undefined },
  { kind: "text", text: "/a\0b", want: undefined }, // would end every path-taking call
  { kind: "integer", text: "0", want: 0 },
  { kind: "integer", text: "-1", want: undefined },
  { kind: "integer", text: "1.5", want: undefined },
  { kind: "integer", text: "0x10", want: undefined },
  { kind: "integer", text: "", want: undefined }, // what an old kernel makes of %F
  { kind: "integer", text: "18446744073709551615", want: undefined }, // no longer exact
  { kind: "percent", text: "20", want: 20 },
  { kind: "percent", text: "100%", want: 100 },
  { kind: "percent", text: "101", want: undefined },
  { kind: "percent", text: "-1", want: undefined },
  { kind: "bytes", text: "32Gi", want: 32n << 30n },
  { kind: "bytes", text: "much", want: undefined },
  { kind: "duration", text: "1h30m", want: 5_400_000 },
  { kind: "duration", text: "soon", want: undefined },
  { kind: "switch", text: "true", want: true },
  { kind: "switch", text: "", want: undefined },
  { kind: "switch", text: "false", want: false },
  { kind: "switch", text: "yes", want: undefined },
  { kind: "switch", text: "constructor", want: undefined },
  { kind: ["auto", "drain"], text: "drain", want: "drain" },
  { kind: ["auto", "drain"], text: "dra", want: undefined },
] as const;
for (const { kind, text, want } of cases) {
  test(`parseValue() takes ${JSON.stringify(text)} as ${kind} for ${want}`, () =>
    assert.equal(parseValue(of(kind), text), want));
}

test("parseValue() takes no number below the option's least", () => {
  assert.deepEqual(
    ["0", "1"].map((text) => parseValue(CAPTURE_OPTIONS.maxDumps, text)),
    [undefined, 1],
  );
  assert.equal(parseValue(KERNEL_OPTIONS.hostPid, "0"), undefined);
});

for (const option of ALL.filter((option) => option.default !== undefined)) {
  test(`the default of --${option.flag} is of its kind`, () => {
    assert.notEqual(parseValue(option, option.default ?? ""), undefined);
  });
}

test("no two options share a name or a letter", () => {
  const names = ALL.flatMap(({ flag, short }) => (short === undefined ? [flag] : [flag, short]));
  assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
});

const OPTIONS = {
  size: { ...of("bytes"), flag: "size", default: "1Ki" },
  wait: { ...of("duration"), flag: "wait" },
} as const satisfies Record<string, Option>;
const values = (found: Record<string, string | string[]>) => {
  const problems: string[] = [];
  return {
    got: valuesOf(
      OPTIONS,
      ({ flag }) => found[flag],
      (problem) => problems.push(problem),
    ),
    problems,
  };
};

test("valuesOf() takes what was found, else the default, else nothing", () => {
  assert.deepEqual(values({ wait: "2s" }), { got: { size: 1024n, wait: 2000 }, problems: [] });
  assert.deepEqual(values({ size: "2k" }), { got: { size: 2000n, wait: undefined }, problems: [] });
});

test("valuesOf() reports a bad value by flag and kind, and goes on with the default", () => {
  const { got, problems } = values({ size: "x\x1b[31m" });
  assert.deepEqual(got, { size: 1024n, wait: undefined });
  assert.deepEqual(problems, ['--size ignored: "x\\u001b[31m" is not a size such as 32Gi']);
});

test("valuesOf() takes the first good value, and complains of the bad ones before it", () => {
  const { got, problems } = values({ size: ["much", "2k", "more"], wait: ["", "3s"] });
  assert.deepEqual(got, { size: 2000n, wait: 3000 });
  assert.deepEqual(problems, ['--size ignored: "much" is not a size such as 32Gi']);
});

test("valuesOf() takes an empty value for none, without a word", () => {
  assert.deepEqual(values({ size: "", wait: "" }), { got: { size: 1024n, wait: undefined }, problems: [] });
});

test("valuesOf() has a value or a complaint for any text, and its complaints stay short", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ALL), fc.string({ unit: "binary", maxLength: 300 }), (option, text) => {
      const problems: string[] = [];
      const { x } = valuesOf(
        { x: option },
        () => text,
        (problem) => problems.push(problem),
      );
      assert.equal(problems.length, text === "" || parseValue(option, text) !== undefined ? 0 : 1);
      assert.ok(x !== undefined || option.default === undefined);
      assert.ok(problems.every((problem) => problem.length < 700));
    }),
  );
});

test("expected() has words for every kind", () => {
  for (const option of ALL) assert.match(expected(option), /^[a-z]/);
});
