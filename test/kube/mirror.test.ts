import assert from "node:assert/strict";
import { test } from "node:test";
import { Mirror } from "../../src/kube/mirror.ts";
import type { KubeObject } from "../../src/kube/objects.ts";

const object = (name: string, resourceVersion: number, uid = `uid-${name}`): KubeObject => ({
  metadata: { name, namespace: "shop", uid, resourceVersion: `${resourceVersion}` },
});

function mirrorWithLog() {
  const changes: string[] = [];
  const essence = ({ metadata: { name, namespace = "", uid, resourceVersion } }: KubeObject) => ({
    name,
    namespace,
    uid,
    resourceVersion,
  });
  const mirror = new Mirror(essence, (namespace, name) => changes.push(`${namespace}/${name}`));
  const versions = () =>
    Object.fromEntries(mirror.in("shop").map(({ name, resourceVersion }) => [name, resourceVersion]));
  return { mirror, versions, took: () => changes.splice(0) };
}

test("Mirror takes newer versions, and an older one never again", () => {
  const { mirror, versions, took } = mirrorWithLog();
  mirror.changed(object("a", 9));
  mirror.put(object("a", 12)); // the answer to our own write, before the watch tells of it
  assert.deepEqual(took(), ["shop/a", "shop/a"]);
  mirror.changed(object("a", 10));
  mirror.changed(object("a", 12));
  assert.deepEqual(versions(), { a: "12" });
  assert.deepEqual(took(), []);
});

test("Mirror takes one of the same name that was made anew, and keeps it when the old one's end comes late", () => {
  const { mirror, versions } = mirrorWithLog();
  mirror.changed(object("a", 9));
  mirror.changed(object("a", 11, "another"));
  mirror.deleted(object("a", 10));
  assert.deepEqual(versions(), { a: "11" });
  mirror.deleted(object("a", 12, "another"));
  assert.deepEqual(versions(), {});
  assert.deepEqual(mirror.namespaces(), []);
});

test("Mirror forgets what a new list has not, and takes its versions even when they are older: a restored cluster", async () => {
  const { mirror, versions, took } = mirrorWithLog();
  for (const name of ["a", "b", "c"]) mirror.listed(object(name, 50));
  assert.equal(mirror.synced, false);
  mirror.listEnded();
  assert.equal(mirror.synced, true);
  await mirror.whenSynced(new AbortController().signal);
  took();
  mirror.listed(object("a", 20));
  mirror.listed(object("b", 50));
  mirror.listEnded();
  assert.deepEqual(versions(), { a: "20", b: "50" });
  assert.deepEqual(took(), ["shop/a", "shop/c"]);
});

test("Mirror.whenSynced() ends with the signal", async () => {
  await mirrorWithLog().mirror.whenSynced(AbortSignal.abort());
});
