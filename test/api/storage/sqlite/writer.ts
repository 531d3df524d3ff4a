/** Writes into a SQLite storage until it is killed, and says each write once it is answered: `revision key value`. */
import { writeSync } from "node:fs";
import { SqliteStorage } from "../../../../src/api/storage/sqlite/sqlite.ts";

const storage = new SqliteStorage(process.argv[2] ?? "");
for (let at = 0; ; at++) {
  const [key, value] = [`/objects/${at % 7}`, `${at} `.repeat(500)];
  const there = await storage.get(key);
  const revision = there ? await storage.update(key, value, there.revision) : await storage.create(key, value);
  writeSync(1, `${revision} ${key} ${at}\n`);
}
