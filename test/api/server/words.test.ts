/** Selectors, names, ages, media types: small grammars. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { wantedIn } from "../../../src/api/server/accept.ts";
import { duplicatesIn } from "../../../src/api/server/duplicates.ts";
import {
  annotationsProblem,
  labelValueProblem,
  nameProblem,
  qualifiedNameProblem,
  uidProblem,
} from "../../../src/api/server/names.ts";
import { selectionIn } from "../../../src/api/server/selectors.ts";
import { StatusError } from "../../../src/api/server/status-error.ts";
import { ageInWords } from "../../../src/api/server/table.ts";
import { isNamespace } from "../../../src/kube/names.ts";

const labels = { app: "web", tier: "", "example.com/x": "1", n: "10" };
const selectors = [
  { selector: "", want: true },
  { selector: "app=web", want: true },
  { selector: "app==web,tier=", want: true },
  { selector: "app = web , n=10", want: true },
  { selector: "app!=web", want: false },
  { selector: "none!=web", want: true }, // what is not there is unequal to anything
  { selector: "app in (db, web)", want: true },
  { selector: "app notin (db,web)", want: false },
  { selector: "none notin (a)", want: true },
  { selector: "tier in ()", want: true }, // an empty value is one
  { selector: "none in ()", want: false },
  { selector: "app,!none", want: true },
  { selector: "! app", want: false },
  { selector: "n>9,n<11", want: true },
  { selector: "n>10", want: false },
  { selector: "app>1", want: false },
  { selector: "example.com/x=1", want: true },
  { selector: "in=1,notin", want: false }, // keys like any other
];
for (const { selector, want } of selectors)
  test(`the label selector ${JSON.stringify(selector)} ${want ? "takes" : "leaves"} it`, () =>
    assert.equal(selectionIn(selector, "").labels(labels), want));

for (const selector of [
  "a=b=c",
  "a in b",
  "a in (b",
  "a b",
  ",",
  "a,,b",
  "=x",
  "a=b c",
  "a===b",
  "a=é",
  "a/b/c=d",
  "a>x",
  "()",
])
  test(`${JSON.stringify(selector)} is not a label selector`, () =>
    assert.throws(
      () => selectionIn(selector, ""),
      (error) => error instanceof StatusError && error.status.code === 400,
    ));

const object = { name: "a", namespace: "team" };
const fields = [
  { selector: "", want: true, name: undefined },
  { selector: "metadata.name=a", want: true, name: "a" },
  { selector: "metadata.name==b", want: false, name: "b" },
  { selector: "metadata.name!=b,metadata.namespace=team", want: true, name: undefined },
];
for (const { selector, want, name } of fields)
  test(`the field selector ${JSON.stringify(selector)} names ${name ?? "nothing"}`, () => {
    const found = selectionIn("", selector).fields;
    assert.deepEqual([found.matches(object), found.name], [want, name]);
  });

test("selectionIn() answers or refuses whatever comes, soon", () => {
  const piece = fc.constantFrom(
    "a",
    "=",
    "!",
    ",",
    "(",
    ")",
    " ",
    "in",
    "notin",
    "<",
    ">",
    "1",
    "metadata.name",
    "__proto__",
  );
  const text = fc.oneof(
    fc.string({ maxLength: 50 }),
    fc.array(piece, { maxLength: 30 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(text, text, (label, field) => {
      try {
        const selection = selectionIn(label, field);
        assert.equal(typeof selection.labels(labels), "boolean");
        assert.equal(typeof selection.fields.matches(object), "boolean");
      } catch (error) {
        assert.ok(error instanceof StatusError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

const names = [
  { name: "a", ok: true },
  { name: "web-0.example.com", ok: true },
  { name: "a".repeat(253), ok: true },
  { name: "a".repeat(254), ok: false },
  ...["", "A", "-a", "a-", "a..b", ".", "..", "a/b", "a b", "é", "a\n", "a\0", "_host"].map((name) => ({
    name,
    ok: false,
  })),
];
for (const { name, ok } of names)
  test(`nameProblem() ${ok ? "takes" : "refuses"} ${JSON.stringify(name.slice(0, 20))}`, () =>
    assert.equal(nameProblem(name) === undefined, ok));

test("what passes as namespace, name or uid is one part of a path, and hides nowhere", () => {
  const wild = fc.oneof(fc.string({ maxLength: 30, unit: "binary" }), fc.stringMatching(/^[-._a-zA-Z0-9/%]{1,20}$/));
  fc.assert(
    fc.property(wild, (text) => {
      const taken = isNamespace(text) || nameProblem(text) === undefined || uidProblem(text) === undefined;
      if (taken) assert.match(text, /^[A-Za-z0-9](?!.*\.\.)[-A-Za-z0-9.]*$/);
    }),
    { numRuns: 2000 },
  );
});

const keys = [
  { key: "app", ok: true },
  { key: "example.com/App_1.x", ok: true },
  { key: `${"a".repeat(253)}/${"b".repeat(63)}`, ok: true },
  ...["", "/a", "a/", "a/b/c", "Example.com/a", "-a", "a".repeat(64), "a b"].map((key) => ({ key, ok: false })),
];
for (const { key, ok } of keys)
  test(`qualifiedNameProblem() ${ok ? "takes" : "refuses"} ${JSON.stringify(key.slice(0, 20))}`, () =>
    assert.equal(qualifiedNameProblem(key) === undefined, ok));

test("label values and annotations have their measures", () => {
  for (const value of ["", "a", "A.b_c-1", "a".repeat(63)]) assert.equal(labelValueProblem(value), undefined);
  for (const value of ["-", "a b", "a".repeat(64), "é"]) assert.notEqual(labelValueProblem(value), undefined);
  assert.equal(annotationsProblem({ "Example.com/X": "anything \0 at all" }), undefined);
  assert.match(annotationsProblem({ a: "x".repeat(262_144) }) ?? "", /262144/);
});

/** As kubectl prints them. */
const ages = [
  ["0s", 0],
  ["59s", 59],
  ["119s", 119],
  ["2m", 120],
  ["4m3s", 243],
  ["9m59s", 599],
  ["10m", 600],
  ["179m", 10_799],
  ["3h", 10_800],
  ["5h12m", 18_720],
  ["8h", 28_800],
  ["47h", 169_200],
  ["2d", 172_800],
  ["3d4h", 273_600],
  ["8d", 691_200],
  ["729d", 62_985_600],
  ["2y", 63_072_000],
  ["2y100d", 71_712_000],
  ["8y", 252_288_000],
  ["0s", -5],
] as const;
for (const [words, seconds] of ages)
  test(`ageInWords() says ${words}`, () => assert.equal(ageInWords(seconds * 1000), words));

test("wantedIn() takes the first form that is to be had", () => {
  const kubectl =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
  assert.deepEqual(wantedIn(kubectl), { form: "table", version: "v1" });
  assert.deepEqual(wantedIn(undefined), { form: "object", version: "v1" });
  const controllers =
    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
  assert.deepEqual(wantedIn(controllers), { form: "metadata", version: "v1" });
});

test("duplicatesIn() finds none in what has none, and each that is added", () => {
  const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify({ a: value, b: [value, { c: value }] }));
  fc.assert(
    fc.property(json, (text) => {
      assert.deepEqual(duplicatesIn(Buffer.from(text)), []);
      assert.deepEqual(duplicatesIn(Buffer.from(`${text.slice(0, -1)},"a":[${text},{"d":${text},"d":1}]}`)), [
        "a",
        "a[1].d",
      ]);
    }),
  );
});
