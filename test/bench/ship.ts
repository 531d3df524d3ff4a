/** `ship CORE ENDPOINT BUCKET`: one bundle into the store, as the agent does it. Prints what that took of memory. */

import { linkSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { blankRecord } from "../../src/domain/dump.ts";
import { newDumpId } from "../../src/domain/id.ts";
import { openSink } from "../../src/store/open.ts";
import { ship } from "../../src/store/upload/ship.ts";
import { staySmall } from "../../src/system/footprint.ts";

staySmall();
const [core = "", s3Endpoint = "", bucket = ""] = process.argv.slice(2);
const { size, blocks } = statSync(core);
const record = blankRecord(newDumpId(Date.now()), new Date(), "node-1");
const dump = { ...record, core: { ...record.core, logicalBytes: size, storedBytes: blocks * 512 } };
const dir = mkdtempSync(join(dirname(core), "dump-"));
try {
  linkSync(core, join(dir, "core"));
  const files = { core: join(dir, "core"), path: (name: string) => join(dir, name) };
  const sink = await openSink({ store: `s3://${bucket}`, s3Endpoint });
  await ship(dump, files, sink, new AbortController().signal);
  console.log(JSON.stringify({ maxRssMiB: Math.round(process.resourceUsage().maxRSS / 1024) }));
} finally {
  rmSync(dir, { recursive: true });
}
