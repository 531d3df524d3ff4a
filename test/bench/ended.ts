/** Our handler in a cache with many records of dumps that are over. */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { newDumpId } from "../../src/domain/id.ts";
import { type Ours, ours } from "./handlers.ts";

const RECORD = new URL("../node/cache/fixtures/record.json", import.meta.url);

/** @param folder  short: a pattern holds 127 bytes */
export function besideEnded(binary: string, folder: string, count: number): Ours {
  const made = ours(binary, folder);
  const record = JSON.parse(readFileSync(RECORD, "utf8")) as DumpRecord;
  mkdirSync(made.cache, { mode: 0o700 });
  for (let at = 0; at < count; at++) {
    const id = newDumpId(Date.parse(record.dumptime) + at);
    const dir = join(made.cache, ".ended", id);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileSync(join(dir, "record.json"), JSON.stringify({ ...record, id, state: "Saved" }), { mode: 0o600 });
    writeFileSync(join(dir, "lock"), "");
  }
  return {
    ...made,
    name: `${count} ended`,
    clear() {
      for (const path of globSync(join(made.cache, "*"))) rmSync(path, { recursive: true }); // .ended stays
    },
  };
}
