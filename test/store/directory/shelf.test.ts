/** A directory store into which somebody else has put things. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { DirectoryShelf } from "../../../src/store/directory/shelf.ts";
import { FOREVER, randomKey } from "../../contract/uploads.ts";
import { tempDir } from "../../support/tmp.ts";

function given() {
  const dir = tempDir();
  const [store, outside] = [join(dir.path, "store"), join(dir.path, "outside")];
  const put = (path: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "x");
  };
  mkdirSync(store);
  mkdirSync(outside);
  return { store, outside, put, shelf: new DirectoryShelf(store), [Symbol.dispose]: () => dir[Symbol.dispose]() };
}

async function listed(shelf: DirectoryShelf, folder = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of shelf.list(folder, FOREVER)) keys.push(key);
  return keys.sort();
}

test("DirectoryShelf follows no link, and looks at plain files only", async () => {
  using under = given();
  const { store, outside, put, shelf } = under;
  const key = randomKey();
  put(join(store, key));
  put(join(outside, "shop/pod/nginx/theirs"));
  put(join(outside, "passwd"));
  symlinkSync(outside, join(store, "linked"));
  symlinkSync(join(outside, "passwd"), join(store, dirname(key), "link"));
  execFileSync("mkfifo", [join(store, dirname(key), "pipe")]);
  assert.deepEqual(await listed(shelf), [key]);
  await assert.rejects(listed(shelf, "linked/"), { code: "STORE_DENIED" });
  await assert.rejects(shelf.remove("linked/shop/pod/nginx/theirs", FOREVER), { code: "STORE_DENIED" });
  assert.ok(existsSync(join(outside, "shop/pod/nginx/theirs")));
  await shelf.remove(`${dirname(key)}/link`, FOREVER); // the link, and not what it leads to
  assert.ok(existsSync(join(outside, "passwd")));
});

test("DirectoryShelf goes nowhere by names that lead out", async () => {
  using under = given();
  const { outside, put, shelf } = under;
  put(join(outside, "x"));
  for (const key of ["../outside/x", "shop/../../outside/x", "/etc/hostname", "shop//x", "", "."]) {
    await shelf.remove(key, FOREVER);
    assert.equal(await shelf.readNote(key, FOREVER), undefined);
    assert.deepEqual(await listed(shelf, `${key}/`), []);
  }
  assert.ok(existsSync(join(outside, "x")));
});

test("DirectoryShelf does not go down for ever", async () => {
  using under = given();
  under.put(join(under.store, `${"d/".repeat(100)}x`));
  assert.deepEqual(await listed(under.shelf), []);
});

test("DirectoryShelf takes empty folders away, up to the store and not the store", async () => {
  using under = given();
  const { store, put, shelf } = under;
  const [one, other] = [randomKey(), randomKey()];
  for (const key of [one, other]) put(join(store, key));
  await shelf.remove(one, FOREVER);
  assert.ok(existsSync(join(store, dirname(other))));
  await shelf.remove(other, FOREVER);
  assert.ok(!existsSync(join(store, "shop")) && existsSync(store));
});

test("DirectoryShelf says that the store is not there, and does not make it", async () => {
  const shelf = new DirectoryShelf("/nonexistent/store");
  await assert.rejects(listed(shelf), { code: "STORE_MISSING" });
  await assert.rejects(shelf.writeNote("n", "x", FOREVER), { code: "STORE_MISSING" });
  await assert.rejects(shelf.readNote("n", FOREVER), { code: "STORE_MISSING" });
});
