/** A directory store into which somebody else has put things. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { DirectoryStore } from "../../../src/store/directory/bundle-store.ts";
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
  return { store, outside, put, bundles: new DirectoryStore(store), [Symbol.dispose]: () => dir[Symbol.dispose]() };
}

async function listed(bundles: DirectoryStore, folder = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of bundles.list(folder, FOREVER)) keys.push(key);
  return keys.sort();
}

test("DirectoryStore follows no link, and looks at plain files only", async () => {
  using under = given();
  const { store, outside, put, bundles } = under;
  const key = randomKey();
  put(join(store, key));
  put(join(outside, "shop/pod/nginx/theirs"));
  put(join(outside, "passwd"));
  symlinkSync(outside, join(store, "linked"));
  symlinkSync(join(outside, "passwd"), join(store, dirname(key), "link"));
  execFileSync("mkfifo", [join(store, dirname(key), "pipe")]);
  assert.deepEqual(await listed(bundles), [key]);
  await assert.rejects(listed(bundles, "linked/"), { code: "STORE_DENIED" });
  await assert.rejects(bundles.remove("linked/shop/pod/nginx/theirs", FOREVER), { code: "STORE_DENIED" });
  assert.ok(existsSync(join(outside, "shop/pod/nginx/theirs")));
  await bundles.remove(`${dirname(key)}/link`, FOREVER); // the link, and not what it leads to
  assert.ok(existsSync(join(outside, "passwd")));
});

test("DirectoryStore goes nowhere by names that lead out", async () => {
  using under = given();
  const { outside, put, bundles } = under;
  put(join(outside, "x"));
  for (const key of ["../outside/x", "shop/../../outside/x", "/etc/hostname", "shop//x", "", "."]) {
    await bundles.remove(key, FOREVER);
    assert.equal(await bundles.readNote(key, FOREVER), undefined);
    assert.deepEqual(await listed(bundles, `${key}/`), []);
  }
  assert.ok(existsSync(join(outside, "x")));
});

test("DirectoryStore does not go down for ever", async () => {
  using under = given();
  under.put(join(under.store, `${"d/".repeat(100)}x`));
  assert.deepEqual(await listed(under.bundles), []);
});

test("DirectoryStore takes empty folders away, up to the store and not the store", async () => {
  using under = given();
  const { store, put, bundles } = under;
  const [one, other] = [randomKey(), randomKey()];
  for (const key of [one, other]) put(join(store, key));
  await bundles.remove(one, FOREVER);
  assert.ok(existsSync(join(store, dirname(other))));
  await bundles.remove(other, FOREVER);
  assert.ok(!existsSync(join(store, "shop")) && existsSync(store));
});

test("DirectoryStore says that the store is not there, and does not make it", async () => {
  const bundles = new DirectoryStore("/nonexistent/store");
  await assert.rejects(listed(bundles), { code: "STORE_MISSING" });
  await assert.rejects(bundles.writeNote("n", "x", FOREVER), { code: "STORE_MISSING" });
  await assert.rejects(bundles.readNote("n", FOREVER), { code: "STORE_MISSING" });
});
