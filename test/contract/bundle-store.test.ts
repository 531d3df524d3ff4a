import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DirectoryStore } from "../../src/store/directory/bundle-store.ts";
import { DirectorySink } from "../../src/store/directory/sink.ts";
import { tempDir } from "../support/tmp.ts";
import { bundleStoreContract } from "./bundle-store.ts";
import { MemorySink } from "./memory-sink.ts";
import { MemoryStore } from "./memory-store.ts";

bundleStoreContract("MemoryStore", async () => {
  const sink = new MemorySink();
  return { sink, store: new MemoryStore(sink), [Symbol.asyncDispose]: async () => undefined };
});

bundleStoreContract("DirectoryStore", async () => {
  const dir = tempDir();
  const store = join(dir.path, "store");
  mkdirSync(store);
  return {
    store: new DirectoryStore(store),
    sink: new DirectorySink(store),
    [Symbol.asyncDispose]: async () => dir[Symbol.dispose](),
  };
});
