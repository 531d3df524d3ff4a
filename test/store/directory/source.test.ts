import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { DirectorySource } from "../../../src/store/directory/source.ts";
import { FOREVER, randomKey } from "../../contract/uploads.ts";
import { tempDir } from "../../support/tmp.ts";

/** A store, and beside it a tree that is just like it, with a secret under the same key. */
function storeAndSecret() {
  const dir = tempDir();
  const key = randomKey();
  const [store, outside] = [join(dir.path, "store"), join(dir.path, "outside")];
  for (const root of [store, outside]) mkdirSync(dirname(join(root, key)), { recursive: true });
  writeFileSync(join(outside, key), "another tenant's memory");
  return { store, outside, key, source: new DirectorySource(store), [Symbol.dispose]: dir[Symbol.dispose] };
}

test("a link in a folder's place is not followed, at no depth", async () => {
  for (const depth of [1, 2, 3]) {
    using world = storeAndSecret();
    const folder = world.key.split("/").slice(0, depth).join("/");
    rmSync(join(world.store, folder), { recursive: true });
    symlinkSync(join(world.outside, folder), join(world.store, folder));
    await assert.rejects(world.source.head(world.key, FOREVER), {
      code: "STORE_DENIED",
      hint: /another program writes there/,
    });
  }
});

test("a link in a bundle's place is not followed, inside the store neither", async () => {
  using world = storeAndSecret();
  const other = join(world.store, "other");
  writeFileSync(other, "another tenant's memory");
  for (const target of [join(world.outside, world.key), other, "../../../other"]) {
    symlinkSync(target, join(world.store, world.key));
    await assert.rejects(world.source.head(world.key, FOREVER), { code: "STORE_DENIED" });
    rmSync(join(world.store, world.key));
  }
});

test("what is no file is no bundle, and nobody waits for it", async () => {
  using world = storeAndSecret();
  const path = join(world.store, world.key);
  execFileSync("mkfifo", [path]);
  await assert.rejects(world.source.head(world.key, FOREVER), { code: "NOT_FOUND" });
  rmSync(path);
  mkdirSync(path);
  await assert.rejects(world.source.head(world.key, FOREVER), { code: "NOT_FOUND" });
});

test("a store that is not mounted is no missing bundle", async () => {
  using world = storeAndSecret();
  rmSync(world.store, { recursive: true });
  await assert.rejects(world.source.head(world.key, FOREVER), { code: "STORE_MISSING", hint: /mount the volume/ });
});
