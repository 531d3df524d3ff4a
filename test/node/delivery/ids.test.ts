import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { storedIds } from "../../../src/node/delivery/ids.ts";
import type { Undeliverable } from "../../../src/node/delivery/job.ts";
import { tempDir } from "../../support/tmp.ts";

const mapping = (containerId: number, hostId: number, length: number) => ({ containerId, hostId, length });
const ids = { uid: 66536, gid: 131000, groups: [131001, 7] };

/** @param userns  content of the kubelet's file; undefined: there is none */
function stored(userns: string | undefined, mapped = true) {
  using dir = tempDir();
  const mount = { kubeletRoot: dir.path, podUid: "u", container: "c", index: 0 };
  mkdirSync(join(dir.path, "pods/u"), { recursive: true });
  if (userns !== undefined) writeFileSync(join(dir.path, "pods/u/userns"), userns);
  return storedIds({ ids, mapped, mount });
}
const one = mapping(0, 65536, 65536);
const file = (uidMappings: unknown, gidMappings: unknown) => JSON.stringify({ uidMappings, gidMappings });

test("storedIds() are the process's own where the pod has no user namespace", () => {
  assert.deepEqual(stored(undefined, false), ids);
});

test("storedIds() are the container's where it has one; groups of nobody there are left out", () => {
  assert.deepEqual(stored(file([one], [one])), { uid: 1000, gid: 65464, groups: [65465] });
  assert.deepEqual(stored(file([mapping(0, 1, 9), mapping(500, 66536, 1)], [one])).uid, 500);
});

for (const [on, userns] of Object.entries({
  "there is no mapping": undefined,
  "it is no JSON": "x",
  "it has another shape": file([{ hostId: "0" }], [one]),
  "it has no group mappings": file([one], undefined),
  "the id is just below": file([mapping(0, 66537, 9)], [one]),
  "the id is just above": file([mapping(0, 65536, 1000)], [one]),
}))
  test(`storedIds() says that the owner is unknown when ${on}`, () => {
    assert.throws(
      () => stored(userns),
      (error: Undeliverable) => error.outcome.reason === "OwnerUnknown",
      on,
    );
  });
