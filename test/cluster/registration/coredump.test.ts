import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { coredumpOf, stateInApi, statusOf } from "../../../src/cluster/registration/coredump.ts";
import { objectName } from "../../../src/cluster/registration/names.ts";
import { newDumpId, shortId } from "../../../src/domain/id.ts";
import type { Coredump } from "../../../src/kube/coredump.ts";
import { labelValue } from "../../../src/kube/labels.ts";
import { signalOf as signalFrom } from "../../../src/node/cache/examine.ts";
import { anyRecord, podRecord, UID } from "./records.ts";
import { COREDUMP_SCHEMA, faults } from "./schema.ts";

const NOW = new Date("2026-11-21T07:21:04.000Z");
const any = fc.string({ unit: "binary", maxLength: 300 });

test("objectName() is a DNS label of at most 63 characters for any input, and ends with the short id", () => {
  fc.assert(
    fc.property(any, any, (name, executable) => {
      const id = newDumpId(0);
      const made = objectName({ id, executable, pod: { namespace: "a", uid: "b", name } });
      assert.match(made, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      assert.ok(made.length <= 63 && made.endsWith(shortId(id)), made);
    }),
  );
});

test("objectName() says pod and executable", () => {
  const id = "01939b5a-7c11-7e21-9c3d-3f9c2a71b0de";
  const pod = { namespace: "shop", uid: UID, name: "web-0" };
  assert.equal(objectName({ id, executable: "nginx", pod }), "web-0-nginx-3f9c2a71b0de");
  assert.equal(objectName({ id, executable: "My_App.bin", pod }), "web-0-my-app-bin-3f9c2a71b0de");
  assert.equal(objectName({ id, executable: "\u0000…", pod: { ...pod, name: "" } }), "3f9c2a71b0de");
});

test("labelValue() is one that the API takes for any input", () => {
  fc.assert(
    fc.property(any, (text) => assert.match(labelValue(text), /^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$/)),
  );
});

test("coredumpOf() and statusOf() fit the schema, whatever the process was called", () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const made = coredumpOf(record, UID);
      assert.deepEqual(faults(made, COREDUMP_SCHEMA), []);
      assert.deepEqual(faults({ ...made, status: statusOf(record, undefined, NOW) }, COREDUMP_SCHEMA), []);
    }),
    { numRuns: 300 },
  );
});

test("statusOf() keeps the time of a condition's last change, and what others wrote", () => {
  const first = statusOf(podRecord(), undefined, NOW);
  const later = new Date(NOW.getTime() + 1000);
  const saved = statusOf(podRecord({ state: "Saved" }), { ...first, repeats: 3 } as Coredump["status"], later);
  const times = Object.fromEntries(
    saved.conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]) ?? [],
  );
  assert.deepEqual(times, {
    Captured: NOW.toISOString(),
    Identified: NOW.toISOString(),
    Stored: later.toISOString(),
    Complete: NOW.toISOString(),
  });
  assert.equal(saved["repeats"], 3);
});

test("statusOf() says the size for people, and spec exactly", () => {
  const sized = (storedBytes: number | null) => podRecord({ core: { ...podRecord().core, storedBytes } });
  const said = [224788480, 6 * 2 ** 30, 1536, 512, 0, null].map((bytes) => {
    const record = sized(bytes);
    return [coredumpOf(record, UID).spec.size, statusOf(record, undefined, NOW)["displaySize"]];
  });
  assert.deepEqual(said, [
    ["224788480", "214Mi"],
    ["6442450944", "6Gi"],
    ["1536", "1.5Ki"],
    ["512", "512"],
    ["0", "0"],
    [undefined, undefined],
  ]);
});

test("coredumpOf() tells of every signal that there is", () => {
  const signal = (number: number) => coredumpOf(podRecord({ signal: signalFrom(number) }), UID).spec.signal;
  assert.deepEqual(
    [11, 33, 42, 64, 0, 65].map((number) => signal(number)?.name),
    ["SIGSEGV", "signal 33", "SIGRTMIN+8", "SIGRTMIN+30", undefined, undefined],
  );
});

test("stateInApi() never takes a decision for the controller in a new object", () => {
  for (const [state, before, want] of [
    ["Captured", undefined, "Created"],
    ["Allowed", undefined, "Created"],
    ["FailedToSave", "Created", "Created"],
    ["Allowed", "Capturing", "Created"],
    ["Capturing", undefined, "Capturing"],
    ["Denied", undefined, "Refused"],
    ["Saved", undefined, "Saved"],
    ["Allowed", "Allowed", "Allowed"],
    ["FailedToSave", "Allowed", "FailedToSave"],
  ] as const)
    assert.equal(stateInApi({ state }, before), want, `${state} over ${before}`);
});
