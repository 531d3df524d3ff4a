import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { FileLock } from "../../../src/system/lock.ts";
import { CORE, RECORDS, record, withCore } from "./records.ts";
import { run } from "./run.ts";

const ID = "3f9c2a71b0de";

test("delete drops the core, keeps the record as Deleted, and may be done twice", async () => {
  using cache = withCore();
  for (const says of [/^3f9c2a71b0de nginx .* deleted\n$/, /^3f9c2a71b0de nginx .* was deleted before\n$/]) {
    const { code, stderr } = await run(["delete", ID, "-d", cache.dir]);
    assert.match(stderr, says);
    assert.equal(code, 0);
  }
  assert.ok(!existsSync(cache.core));
  const { state, reason, core } = cache.stored(record(ID));
  assert.deepEqual([state, reason, core.path], ["Deleted", "OperatorDeleted", null]);
  const { stdout } = await run(["list", "-d", cache.dir]);
  assert.match(stdout.toString(), /Deleted .* deleted by an operator +-\n$/);
});

test("delete --purge forgets the record too", async () => {
  using cache = withCore();
  assert.equal((await run(["delete", ID, "--purge", "-d", cache.dir])).code, 0);
  assert.ok(!existsSync(dirname(cache.core)));
});

test("delete does nothing when one of the ids is wrong", async () => {
  using cache = withCore();
  assert.equal((await run(["delete", ID, "ffffffffffff", "-d", cache.dir])).code, 66);
  assert.ok(existsSync(cache.core));
});

test("delete --all wants --yes where nobody can be asked, and takes what the filters pick", async () => {
  using cache = withCore();
  for (const each of RECORDS.slice(1)) cache.put(each);
  const unasked = await run(["delete", "--all", "-d", cache.dir]);
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /hint: Give --yes/);
  const { code } = await run(["delete", "--all", "--yes", "--namespace", "batch", "-d", cache.dir]);
  assert.equal(code, 0);
  assert.deepEqual(
    RECORDS.map((each) => cache.stored(each).state),
    ["Captured", "Deleted", "Captured", "Evicted", "Lost"],
  );
});

test("delete ends with 75 while a handler is at the dump, and deletes the others", async () => {
  using cache = withCore();
  const busy = cache.put(record("aaaaaaaaaaaa"), CORE);
  using lock = FileLock.try(join(cache.dir, busy.id, "lock"));
  assert.ok(lock);
  const { code, stderr } = await run(["delete", "aaaaaaaaaaaa", ID, "-d", cache.dir]);
  assert.match(stderr, /^3f9c2a71b0de nginx .* deleted\nerror: /);
  assert.equal(code, 75);
  assert.equal(cache.stored(busy).state, "Captured");
});
