/** What every BundleStore must do (its comment is the contract), whatever implements it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { BundleStore, ListedFile, Unfinished } from "../../src/store/ports/bundle-store.ts";
import type { DumpSink } from "../../src/store/ports/sink.ts";
import { FOREVER, randomKey, testUpload } from "./uploads.ts";

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: BundleStore;
  /** An agent's, into the same store. */
  readonly sink: DumpSink;
}

const MIB = 1 << 20;

export function bundleStoreContract(name: string, setUp: () => Promise<StoreUnderTest>): void {
  const criterion = (title: string, check: (under: StoreUnderTest) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      await using under = await setUp();
      await check(under);
    });

  criterion("list() has all bundles, below each folder its own", async ({ store, sink }) => {
    assert.deepEqual(await listed(store), []);
    const [first, second, other] = [randomKey(), randomKey(), randomKey().replace("shop", "shop-2")];
    const before = Date.now() - 10_000;
    for (const key of [first, second, other]) await sink.put(testUpload(randomBytes(1000), { key }), FOREVER);
    assert.deepEqual(keys(await listed(store)), [first, second, other].sort());
    assert.deepEqual(keys(await listed(store, "shop/")), [first, second].sort());
    assert.deepEqual(keys(await listed(store, `${first.split("/").slice(0, 3).join("/")}/`)), [first, second].sort());
    for (const nothing of ["sho/", "nobody/", "shop-2/x/"]) assert.deepEqual(await listed(store, nothing), []);
    for (const { sizeBytes, modified } of await listed(store)) {
      assert.equal(sizeBytes, 1000);
      assert.ok(modified.getTime() > before && modified.getTime() < Date.now() + 10_000);
    }
  });

  criterion("list() has them however many there are", async ({ store, sink }) => {
    const all = Array.from({ length: 1100 }, () => randomKey());
    for (let at = 0; at < all.length; at += 20)
      await Promise.all(all.slice(at, at + 20).map((key) => sink.put(testUpload(Buffer.from("x"), { key }), FOREVER)));
    assert.deepEqual(keys(await listed(store)), all.sort());
  });

  criterion("remove() removes that one, and what is gone is gone", async ({ store, sink }) => {
    const [going, staying] = [randomKey(), randomKey()];
    for (const key of [going, staying]) await sink.put(testUpload(randomBytes(10), { key }), FOREVER);
    await store.remove(going, FOREVER);
    await store.remove(going, FOREVER);
    await store.remove("nobody/0/c/x", FOREVER);
    assert.deepEqual(keys(await listed(store)), [staying]);
    await sink.put(testUpload(randomBytes(10), { key: going }), FOREVER);
    for (const key of [going, staying]) await store.remove(key, FOREVER);
    assert.deepEqual(await listed(store), []);
    await sink.put(testUpload(randomBytes(10), { key: going }), FOREVER);
    assert.deepEqual(keys(await listed(store)), [going], "its folders can be made anew");
  });

  criterion("unfinished() has uploads that came to no end, and abort() removes them", async ({ store, sink }) => {
    assert.deepEqual(await unfinished(store), []);
    const upload = testUpload(randomBytes(12 * MIB));
    upload.before = (at) => {
      if (at > 9 * MIB) throw new Error("no");
    };
    await assert.rejects(sink.put(upload, FOREVER), { message: "no" });
    const [one, ...more] = await unfinished(store);
    assert.ok(one && more.length === 0);
    assert.equal(one.key, upload.key);
    assert.ok(Math.abs(one.begun.getTime() - Date.now()) < 60_000);
    assert.deepEqual(await listed(store), [], "it is no bundle");
    await store.abort(one, FOREVER);
    await store.abort(one, FOREVER);
    assert.deepEqual(await unfinished(store), []);
    upload.before = () => undefined;
    await sink.put(upload, FOREVER); // all is sent again
    await store.abort(one, FOREVER);
    assert.deepEqual(keys(await listed(store)), [upload.key]);
  });

  criterion("notes are read as they were written", async ({ store, sink }) => {
    const name = ".coredump-detector.json";
    assert.equal(await store.readNote(name, FOREVER), undefined);
    for (const text of ['{"ü":1}\n', "x".repeat(2 * MIB), ""]) {
      await store.writeNote(name, text, FOREVER);
      assert.equal(await store.readNote(name, FOREVER), text);
    }
    const upload = testUpload(randomBytes(10));
    await sink.put(upload, FOREVER);
    const bundles = (await listed(store)).filter(({ key }) => !key.startsWith("."));
    assert.deepEqual(keys(bundles), [upload.key]);
  });

  criterion("a signal that has fired is why nothing is done", async ({ store, sink }) => {
    const upload = testUpload(randomBytes(10));
    await sink.put(upload, FOREVER);
    const aborted = AbortSignal.abort(new Error("enough"));
    for (const act of [
      () => listed(store, "", aborted),
      () => store.remove(upload.key, aborted),
      () => store.readNote("n", aborted),
      () => store.writeNote("n", "", aborted),
    ])
      await assert.rejects(act, { message: "enough" });
    assert.deepEqual(keys(await listed(store)), [upload.key]);
  });
}

async function listed(store: BundleStore, folder = "", signal = FOREVER): Promise<ListedFile[]> {
  const all: ListedFile[] = [];
  for await (const each of store.list(folder, signal)) all.push(each);
  return all;
}

async function unfinished(store: BundleStore): Promise<Unfinished[]> {
  const all: Unfinished[] = [];
  for await (const each of store.unfinished(FOREVER)) all.push(each);
  return all;
}

const keys = (all: readonly { readonly key: string }[]): string[] => all.map(({ key }) => key).sort();
