/** What every ObjectStorage must do (its comment is the contract), whatever keeps the objects. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ObjectStorage, StorageChange, StorageEvent } from "../../src/api/storage/storage.ts";
import { FOREVER } from "./uploads.ts";

export interface StorageUnderTest {
  /** One that is used by all of a file's tests: each takes a prefix of its own. */
  readonly storage: ObjectStorage;
  /** Forgets what was before that revision. */
  compact(revision: bigint): Promise<void>;
}

const failure = (code: string) => ({ name: "DumpError", code });
let prefixes = 0;

export function storageContract(name: string, under: () => StorageUnderTest): void {
  const criterion = (title: string, check: (storage: ObjectStorage, prefix: string) => Promise<void>) =>
    test(`${name}: ${title}`, () => check(under().storage, `/registry/test-${++prefixes}/`));

  criterion("get() finds what was created, updated, and not what was deleted", async (storage, prefix) => {
    const key = `${prefix}a`;
    assert.equal(await storage.get(key), undefined);
    const created = await storage.create(key, '{"ü":1}');
    assert.deepEqual({ ...(await storage.get(key)) }, { value: '{"ü":1}', revision: created });
    const updated = await storage.update(key, "two", created);
    assert.ok(updated > created);
    assert.deepEqual({ ...(await storage.get(key)) }, { value: "two", revision: updated });
    assert.ok((await storage.delete(key, updated)) > updated);
    assert.equal(await storage.get(key), undefined);
  });

  criterion("a write is refused when something else is there than expected", async (storage, prefix) => {
    const key = `${prefix}a`;
    await assert.rejects(storage.update(key, "x", 1n), failure("NOT_FOUND"));
    await assert.rejects(storage.delete(key, 1n), failure("NOT_FOUND"));
    const first = await storage.create(key, "1");
    await assert.rejects(storage.create(key, "2"), failure("API_CONFLICT"));
    const second = await storage.update(key, "2", first);
    await assert.rejects(storage.update(key, "3", first), failure("API_CONFLICT"));
    await assert.rejects(storage.delete(key, first), failure("API_CONFLICT"));
    await storage.delete(key, second);
    const again = await storage.create(key, "new");
    assert.ok(again > second, "no revision comes twice");
    await assert.rejects(storage.update(key, "3", second), failure("API_CONFLICT"));
  });

  criterion("of writers that race one wins", async (storage, prefix) => {
    const key = `${prefix}a`;
    const writers = Array.from({ length: 20 }, (_, at) => `${at}`);
    const created = await Promise.allSettled(writers.map((value) => storage.create(key, value)));
    const [winner, ...more] = created.filter((each) => each.status === "fulfilled");
    assert.ok(winner && more.length === 0);
    const updated = await Promise.allSettled(writers.map((value) => storage.update(key, value, winner.value)));
    assert.equal(updated.filter((each) => each.status === "fulfilled").length, 1);
    for (const each of [...created, ...updated])
      if (each.status === "rejected") assert.equal(each.reason.code, "API_CONFLICT");
  });

  criterion("updates that look again when refused are all done", async (storage, prefix) => {
    const key = `${prefix}count`;
    await storage.create(key, "0");
    const increment = async (): Promise<void> => {
      const { value, revision } = (await storage.get(key)) ?? assert.fail();
      await storage.update(key, `${Number(value) + 1}`, revision).catch(increment);
    };
    await Promise.all(Array.from({ length: 15 }, increment));
    assert.equal((await storage.get(key))?.value, "15");
  });

  criterion("list() has what begins with the prefix, by pages", async (storage, prefix) => {
    await storage.create(`${prefix.slice(0, -1)}0`, "behind");
    await storage.create(`${prefix.slice(0, -1)}-`, "before");
    for (const at of ["b", "a/z", "a", "c", "a-1"]) await storage.create(prefix + at, at);
    const all = await storage.list(prefix);
    assert.deepEqual(keys(all, prefix), ["a", "a-1", "a/z", "b", "c"]);
    assert.equal(all.remaining, 0);
    const first = await storage.list(prefix, { limit: 2 });
    assert.deepEqual([keys(first, prefix), first.remaining], [["a", "a-1"], 3]);
    const next = await storage.list(prefix, { limit: 3, after: `${prefix}a-1` });
    assert.deepEqual([keys(next, prefix), next.remaining], [["a/z", "b", "c"], 0]);
    assert.deepEqual(keys(await storage.list(prefix, { after: `${prefix}c` }), prefix), []);
    const empty = await storage.list(`${prefix}x/`);
    assert.deepEqual([empty.items.length, empty.remaining], [0, 0]);
    assert.ok(empty.revision >= all.revision);
  });

  criterion("list() as of a revision has what was there then", async (storage, prefix) => {
    const kept = await storage.create(`${prefix}kept`, "kept");
    const old = await storage.create(`${prefix}changed`, "old");
    const there = await storage.create(`${prefix}deleted`, "there");
    const { revision } = await storage.list(prefix);
    await storage.update(`${prefix}changed`, "newest", await storage.update(`${prefix}changed`, "new", old));
    await storage.delete(`${prefix}deleted`, there);
    await storage.create(`${prefix}deleted`, "another");
    await storage.create(`${prefix}added`, "added");
    const was = await storage.list(prefix, { revision });
    assert.deepEqual(plain(was.items), [
      { key: `${prefix}changed`, value: "old", revision: old },
      { key: `${prefix}deleted`, value: "there", revision: there },
      { key: `${prefix}kept`, value: "kept", revision: kept },
    ]);
    assert.equal(was.revision, revision);
    const page = await storage.list(prefix, { revision, limit: 1, after: `${prefix}changed` });
    assert.deepEqual([keys(page, prefix), page.remaining], [["deleted"], 1]);
  });

  criterion("list() of a thousand objects of five kilobytes has all of them", async (storage, prefix) => {
    const value = "x".repeat(5000);
    const names = Array.from({ length: 1000 }, (_, at) => `${at}`.padStart(4, "0"));
    for (let at = 0; at < names.length; at += 100)
      await Promise.all(names.slice(at, at + 100).map((name) => storage.create(prefix + name, value)));
    const { items } = await storage.list(prefix);
    assert.deepEqual(
      items.map(({ key }) => key.slice(prefix.length)),
      names,
    );
    const most = await storage.list(prefix, { limit: 990 });
    assert.deepEqual([most.items.length, most.remaining], [990, 10]);
  });

  criterion("usage() counts what begins with the prefix, and its bytes", async (storage, prefix) => {
    assert.deepEqual(await storage.usage(prefix), { count: 0, bytes: 0 });
    await storage.create(`${prefix.slice(0, -1)}0`, "another prefix's");
    for (let at = 100; at < 250; at++) await storage.create(`${prefix}${at}`, "ü");
    assert.deepEqual(await storage.usage(prefix), { count: 150, bytes: 150 * (prefix.length + 3 + 2) });
  });

  criterion("watch() tells every change behind a revision, and nothing else", async (storage, prefix) => {
    const before = await storage.create(`${prefix}a`, "1");
    await using events = watching(storage, prefix, before);
    await storage.create(`${prefix.slice(0, -1)}0`, "another prefix's");
    const updated = await storage.update(`${prefix}a`, "2", before);
    const created = await storage.create(`${prefix}b`, "b");
    const deleted = await storage.delete(`${prefix}a`, updated);
    const previous = { value: "2", revision: updated };
    const expected: StorageChange[] = [
      { type: "put", key: `${prefix}a`, value: "2", revision: updated, previous: { value: "1", revision: before } },
      { type: "put", key: `${prefix}b`, value: "b", revision: created, previous: undefined },
      { type: "delete", key: `${prefix}a`, value: "2", revision: deleted, previous },
    ];
    assert.deepEqual(await events.take(3), expected);
    await using again = watching(storage, prefix, before);
    assert.deepEqual(await again.take(3), expected, "also when it comes later");
    await using later = watching(storage, prefix, created);
    assert.deepEqual(await later.take(1), expected.slice(2));
  });

  criterion("watch() goes on from a list without a gap", async (storage, prefix) => {
    let stop = false;
    const writing = (async () => {
      for (let at = 0; !stop; at++) await storage.create(`${prefix}${`${at}`.padStart(6, "0")}`, "x");
    })();
    for (let round = 0; round < 10; round++) {
      const { items, revision } = await storage.list(prefix);
      await using events = watching(storage, prefix, revision);
      const [next] = await events.take(1);
      assert.equal(next?.key, `${prefix}${`${items.length}`.padStart(6, "0")}`);
    }
    stop = true;
    await writing;
  });

  criterion("watch() says how far it is when nothing happens", async (storage, prefix) => {
    const { revision } = await storage.list(prefix);
    const other = await storage.create(`${prefix.slice(0, -1)}0`, "another prefix's");
    const stop = new AbortController();
    for await (const event of storage.watch(prefix, revision, stop.signal)) {
      assert.equal(event.type, "progress");
      if (event.revision >= other) break;
    }
  });

  criterion("watch() ends with the signal's reason", async (storage, prefix) => {
    const { revision } = await storage.list(prefix);
    const stop = new AbortController();
    const ended = drain(storage.watch(prefix, revision, stop.signal));
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await assert.rejects(ended, { message: "enough" });
    await assert.rejects(drain(storage.watch(prefix, revision, stop.signal)), { message: "enough" });
  });

  criterion("two hundred watchers hear of each change", async (storage, prefix) => {
    const { revision } = await storage.list(prefix);
    const watchers = Array.from({ length: 200 }, () => watching(storage, prefix, revision));
    for (const name of ["a", "b", "c"]) await storage.create(prefix + name, name);
    for (const changes of await Promise.all(watchers.map((watcher) => watcher.take(3))))
      assert.deepEqual(
        changes.map(({ key }) => key.slice(prefix.length)),
        ["a", "b", "c"],
      );
    await Promise.all(watchers.map((watcher) => watcher[Symbol.asyncDispose]()));
  });

  criterion("what was compacted, or is still to come, is API_GONE", async (storage, prefix) => {
    const first = await storage.create(`${prefix}a`, "1");
    const second = await storage.update(`${prefix}a`, "2", first);
    const third = await storage.update(`${prefix}a`, "3", second);
    await under().compact(third);
    await assert.rejects(storage.list(prefix, { revision: second }), failure("API_GONE"));
    await assert.rejects(drain(storage.watch(prefix, first, FOREVER)), failure("API_GONE"));
    assert.deepEqual(keys(await storage.list(prefix, { revision: third }), prefix), ["a"]);
    await using events = watching(storage, prefix, third);
    const fourth = await storage.update(`${prefix}a`, "4", third);
    assert.deepEqual(
      (await events.take(1)).map(({ previous }) => previous),
      [{ value: "3", revision: third }],
    );
    await assert.rejects(storage.list(prefix, { revision: fourth + 1_000_000n }), failure("API_GONE"));
    await assert.rejects(drain(storage.watch(prefix, fourth + 1_000_000n, FOREVER)), failure("API_GONE"));
  });

  criterion("a signal that has fired is why nothing is done", async (storage, prefix) => {
    const aborted = AbortSignal.abort(new Error("enough"));
    await assert.rejects(storage.create(`${prefix}a`, "1", aborted), { message: "enough" });
    await assert.rejects(storage.get(`${prefix}a`, aborted), { message: "enough" });
    await assert.rejects(storage.list(prefix, {}, aborted), { message: "enough" });
    assert.equal(await storage.get(`${prefix}a`), undefined);
  });

  criterion("whatever is done, it is as a simple model has it, and watchers can follow", async (storage) => {
    const act = fc.record({
      name: fc.constantFrom("a", "b", "c"),
      what: fc.constantFrom("create", "update", "delete"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 15 }), (acts) => asTheModel(storage, acts)),
      { numRuns: 25 },
    );
  });
}

/** Does it to the storage and to a map; then compares lists as of each revision, and what a watcher makes of the changes. */
async function asTheModel(storage: ObjectStorage, acts: { name: string; what: string }[]): Promise<void> {
  const prefix = `/registry/test-${++prefixes}/`;
  const model = new Map<string, { value: string; revision: bigint }>();
  const { revision: start } = await storage.list(prefix);
  const states: [revision: bigint, items: unknown[]][] = [[start, []]];
  for (const [at, { name, what }] of acts.entries()) {
    const [key, value] = [prefix + name, `${at}`];
    const there = model.get(key);
    const expected = there?.revision ?? 1n;
    const done =
      what === "create"
        ? storage.create(key, value)
        : what === "update"
          ? storage.update(key, value, expected)
          : storage.delete(key, expected);
    if ((what === "create") === (there !== undefined)) {
      await assert.rejects(done, failure(what === "create" ? "API_CONFLICT" : "NOT_FOUND"));
      continue;
    }
    const revision = await done;
    if (what === "delete") model.delete(key);
    else model.set(key, { value, revision });
    states.push([revision, itemsOf(model)]);
  }
  for (const [revision, items] of states)
    assert.deepEqual(plain((await storage.list(prefix, { revision })).items), items);
  await using events = watching(storage, prefix, start);
  const followed = new Map<string, { value: string; revision: bigint }>();
  for (const [revision, items] of states.slice(1)) {
    const [change] = await events.take(1);
    assert.ok(change && change.revision === revision);
    assert.deepEqual(change.previous, followed.get(change.key));
    if (change.type === "delete") followed.delete(change.key);
    else followed.set(change.key, { value: change.value, revision });
    assert.deepEqual(itemsOf(followed), items);
  }
}

const itemsOf = (model: ReadonlyMap<string, { value: string; revision: bigint }>) =>
  [...model.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, object]) => ({ key, ...object }));

/** SQLite's rows have no prototype. */
const plain = (items: readonly object[]): object[] => items.map((item) => ({ ...item }));

const keys = ({ items }: { readonly items: readonly { readonly key: string }[] }, prefix: string): string[] =>
  items.map(({ key }) => key.slice(prefix.length));

async function drain(events: AsyncIterable<StorageEvent>): Promise<never> {
  for await (const _ of events);
  return assert.fail("it ended without an error");
}

/** A watch that goes on while others write. */
export function watching(storage: ObjectStorage, prefix: string, afterRevision: bigint) {
  const stop = new AbortController();
  const events = storage.watch(prefix, afterRevision, stop.signal)[Symbol.asyncIterator]();
  return {
    /** The next changes; progress between them counts as nothing. */
    async take(count: number): Promise<StorageChange[]> {
      const changes: StorageChange[] = [];
      while (changes.length < count) {
        const { value, done } = await events.next();
        assert.ok(!done, "it ended");
        if (value.type !== "progress") changes.push({ ...value });
      }
      return changes;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await events.return?.();
    },
  };
}
