import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { coredumpOf } from "../../../src/cluster/registration/coredump.ts";
import { newDumpId, shortId } from "../../../src/domain/id.ts";
import { STATES } from "../../../src/domain/states.ts";
import { type KeyIdentity, keyOf, keyOfCoredump, parseKey } from "../../../src/store/bundle/key.ts";
import { anyRecord } from "../../cluster/registration/records.ts";

const DUMP: KeyIdentity = {
  id: "019e0000-0000-7000-8000-3f9c2a71b0de",
  state: "Captured",
  dumptime: "2026-11-21T07:21:03.512Z",
  hostPid: 31605,
  executable: "nginx",
  node: "node-1",
  owner: "pod",
  dumpable: 1,
  pod: { namespace: "shop", uid: "5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e" },
  container: { id: "c".repeat(64), name: "nginx" },
};
const FILE = "nginx-20261121T072103512Z-31605-3f9c2a71b0de.tar.zst";

const cases: readonly { on: string; dump: Partial<KeyIdentity>; want: string }[] = [
  { on: "a pod", dump: {}, want: `shop/5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e/nginx/${FILE}` },
  { on: "a host process", dump: { owner: "host", pod: null, container: null }, want: `_host/node-1/${FILE}` },
  { on: "plain Docker", dump: { owner: "docker", pod: null }, want: `_docker/node-1/nginx/${FILE}` },
  {
    on: "a container without a name",
    dump: { owner: "unknown", pod: null, container: { id: "c".repeat(64), name: null } },
    want: `_docker/node-1/${"c".repeat(64)}/${FILE}`,
  },
  {
    on: "a pod's process that changed ids",
    dump: { dumpable: 2 },
    want: `_restricted/shop/5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e/nginx/${FILE}`,
  },
  {
    on: "a pod's process of which nobody knows whether it was dumpable",
    dump: { dumpable: null },
    want: `_restricted/shop/5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e/nginx/${FILE}`,
  },
  // It would be the host's, read by another tenant's rules.
  { on: "a namespace that is none", dump: { pod: { namespace: "_host", uid: ".." } }, want: `xhost/_./nginx/${FILE}` },
];
for (const { on, dump, want } of cases)
  test(`keyOf() names ${on}`, () => assert.equal(keyOf({ ...DUMP, ...dump }), want));

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.constantFrom("", ".", "..", "a/../b", "-", "_host"),
);
const anyDump: fc.Arbitrary<KeyIdentity> = fc.record({
  id: fc.nat().map(newDumpId),
  state: fc.constantFrom(...STATES),
  dumptime: fc.oneof(
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    anyText,
  ),
  hostPid: fc.oneof(fc.integer(), fc.double()),
  executable: anyText,
  node: anyText,
  owner: fc.constantFrom("pod", "docker", "container", "host", "unknown"),
  dumpable: fc.constantFrom(null, 0, 1, 2),
  pod: fc.option(fc.record({ namespace: anyText, uid: anyText })),
  container: fc.option(fc.record({ id: anyText, name: fc.option(anyText) })),
});

test("keyOf() makes a safe path of anything", () => {
  fc.assert(
    fc.property(anyDump, (dump) => {
      const key = keyOf(dump);
      assert.ok(Buffer.byteLength(key) <= 600, "leaves room for a prefix in S3's 1024 bytes");
      for (const part of key.split("/")) assert.match(part, /^[A-Za-z0-9_][A-Za-z0-9._-]{0,239}$/);
    }),
  );
});

test("parseKey() reads every key that keyOf() makes, and says what was in it", () => {
  fc.assert(
    fc.property(anyDump, (dump) => {
      const parsed = parseKey(keyOf(dump));
      assert.equal(parsed?.shortId, shortId(dump.id));
      assert.equal(parsed?.kind === "pod", dump.owner === "pod" && dump.pod !== null);
      assert.equal(parsed?.kind === "host", dump.owner === "host");
    }),
  );
});

test("keyOf() gives two dumps two keys", () => {
  fc.assert(
    fc.property(anyDump, anyDump, (one, other) => {
      if (shortId(one.id) !== shortId(other.id)) assert.notEqual(keyOf(one), keyOf(other));
    }),
  );
});

test("a tenant's names never lead to another's place", () => {
  fc.assert(
    fc.property(anyDump, (dump) => {
      const key = keyOf({
        ...dump,
        owner: "pod",
        pod: dump.pod ?? { namespace: "a", uid: "b" },
        dumpable: 1,
        state: "Captured",
      });
      assert.doesNotMatch(key, /^_/);
    }),
  );
});

const PLACE = "shop/5d0c/nginx/";
const foreign = [
  "",
  ".coredump-detector.json",
  FILE,
  `${PLACE}${FILE}.part`,
  `${PLACE}.${FILE}`,
  `/${PLACE}${FILE}`,
  `${PLACE}x/${FILE}`,
  `shop/../nginx/${FILE}`,
  `_other/node-1/${FILE}`,
  `_host/node-1/x/${FILE}`,
  `${PLACE}${FILE}\n`,
  `${PLACE}${FILE.replace("20261121", "20260631")}`,
  `${PLACE}${FILE.replace("0de", "0dE")}`,
];
for (const key of foreign)
  test(`parseKey() leaves ${JSON.stringify(key)} alone`, () => assert.equal(parseKey(key), undefined));

test("parseKey() takes a file's name apart from its end", () => {
  const executable = "a-20200101T000000000Z-1-aaaaaaaaaaaa.tar.zst";
  assert.equal(parseKey(keyOf({ ...DUMP, executable }))?.executable, executable);
});

test("keyOfCoredump() of a record's Coredump is the record's key", () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const plain = { ...record, state: "Saved" as const, dumpable: 1 };
      const { metadata, spec } = coredumpOf(plain, "uid");
      assert.equal(keyOfCoredump(metadata.namespace, spec), keyOf(plain));
    }),
  );
});
