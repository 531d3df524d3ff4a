import { join } from "node:path";
import { after } from "node:test";
import { SqliteStorage } from "../../src/api/storage/sqlite/sqlite.ts";
import { tempDir } from "../support/tmp.ts";
import { storageContract } from "./storage.ts";

const dir = tempDir();
const storage = new SqliteStorage(join(dir.path, "objects.db"));
after(async () => {
  await storage[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

storageContract("SqliteStorage", () => ({ storage, compact: async (revision) => storage.compact(revision) }));
