/** `node ship-child.ts DUMP_DIR RECORD.json SETTINGS.json`: one upload in a process of its own, so that it can be killed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openSink } from "../../src/store/open.ts";
import { ship } from "../../src/store/upload/ship.ts";

const [dir = "", record = "", settings = ""] = process.argv.slice(2);
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const files = { core: join(dir, "core"), path: (name: string) => join(dir, name) };
const { uploadBytesPerS, ...rest } = json(settings);
const sink = await openSink({ ...rest, ...(uploadBytesPerS && { uploadBytesPerS: BigInt(uploadBytesPerS) }) });
await ship(json(record), files, sink, new AbortController().signal);
