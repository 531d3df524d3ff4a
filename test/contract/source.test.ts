import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DirectorySource } from "../../src/store/directory/source.ts";
import { tempDir } from "../support/tmp.ts";
import { MemorySource } from "./memory-source.ts";
import { sourceContract } from "./source.ts";

sourceContract("MemorySource", async () => {
  const source = new MemorySource();
  return {
    source,
    put: async (key, bytes) => void source.bundles.set(key, bytes),
    remove: async (key) => void source.bundles.delete(key),
    [Symbol.asyncDispose]: async () => undefined,
  };
});

sourceContract("DirectorySource", async () => {
  const dir = tempDir();
  return {
    source: new DirectorySource(dir.path),
    async put(key, bytes) {
      const path = join(dir.path, key);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.part`, bytes);
      renameSync(`${path}.part`, path);
    },
    remove: async (key) => rmSync(join(dir.path, key)),
    [Symbol.asyncDispose]: async () => dir[Symbol.dispose](),
  };
});
