import { globSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../../src/domain/failures.ts";
import { DirectorySink } from "../../src/store/directory/sink.ts";
import { tempDir } from "../support/tmp.ts";
import { MemorySink } from "./memory-sink.ts";
import { sinkContract } from "./sink.ts";

sinkContract("MemorySink", async () => {
  const sink = new MemorySink();
  return {
    sink,
    stored: async (key) => sink.bundles.get(key),
    leftovers: async () => [...sink.parts.keys()],
    [Symbol.asyncDispose]: async () => undefined,
  };
});

sinkContract("DirectorySink", async () => {
  const dir = tempDir();
  const store = join(dir.path, "store");
  mkdirSync(store);
  return {
    sink: new DirectorySink(store),
    stored: async (key) => contentOf(join(store, key)),
    leftovers: async () => globSync("**/.*", { cwd: store }).filter((name) => name !== ""),
    [Symbol.asyncDispose]: async () => dir[Symbol.dispose](),
  };
});

function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
