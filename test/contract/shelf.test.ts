import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DirectoryShelf } from "../../src/store/directory/shelf.ts";
import { DirectorySink } from "../../src/store/directory/sink.ts";
import { tempDir } from "../support/tmp.ts";
import { MemoryShelf } from "./memory-shelf.ts";
import { MemorySink } from "./memory-sink.ts";
import { shelfContract } from "./shelf.ts";

shelfContract("MemoryShelf", async () => {
  const sink = new MemorySink();
  return { sink, shelf: new MemoryShelf(sink), [Symbol.asyncDispose]: async () => undefined };
});

shelfContract("DirectoryShelf", async () => {
  const dir = tempDir();
  const store = join(dir.path, "store");
  mkdirSync(store);
  return {
    shelf: new DirectoryShelf(store),
    sink: new DirectorySink(store),
    [Symbol.asyncDispose]: async () => dir[Symbol.dispose](),
  };
});
