/** The stack that a record gets, whatever of its core is there. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { readApart } from "../../../src/node/capture/apart.ts";
import { explain } from "../../../src/node/capture/explaining.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { fixture } from "../../crash/elf/fixtures.ts";
import { testSpool } from "../cache/caches.ts";

const CORE = fixture("segv");
const HOW = { how: "full" } as const;

test("explain() reads no byte of the core's file that may be a gap: what was seen of it counts", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  const [whole] = [CORE.length, writeFileSync(entry.part, CORE)];
  const { crash: want } = await explain(entry, HOW);
  const gaps = Buffer.from(CORE).fill(0, 4096); // the rest had not come when the copy ended
  writeFileSync(entry.part, gaps);
  const { crash } = await explain(entry, { ...HOW, seen: [{ offsetBytes: 0n, bytes: CORE }], coreBytes: 4096n });
  assert.ok(want && want.stack.length > 0 && whole > 4096);
  assert.deepEqual(crash, want);
});

test("explain() keeps the stack in the record where the disk takes no more", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  writeFileSync(entry.part, CORE);
  mkdirSync(entry.crash); // nothing can be written there
  const { crash, warnings } = await explain(entry, HOW);
  assert.ok((crash?.stack.length ?? 0) > 0);
  assert.match(warnings.join(), /kept in short only/);
});

test("explain() gives up what it cannot open, and says so", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  mkdirSync(entry.part);
  const { crash, warnings } = await explain(entry, HOW);
  assert.deepEqual([crash, warnings.length, existsSync(entry.crash)], [null, 1, false]);
});

test("explain() writes all of it beside the core, and nothing when it is off", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  writeFileSync(entry.core, CORE);
  assert.deepEqual(await explain(entry, { how: "off" }), { crash: null, warnings: [] });
  assert.equal(existsSync(entry.crash), false);
  const { crash } = await explain(entry, HOW);
  assert.equal(JSON.parse(readFileSync(entry.crash, "utf8")).title, crash?.title);
});

test("readApart() starts no process where an earlier one hangs, and says so", async () => {
  using made = testSpool();
  mkdirSync(`${made.spool.dir}/.slots`);
  using hanging = FileLock.try(`${made.spool.dir}/.slots/reader`);
  assert.ok(hanging);
  const sources = {
    core: undefined,
    coreBytes: undefined,
    seen: [],
    files: undefined,
    openMs: 0,
    names: new Map(),
    allThreads: true,
  };
  assert.match(`${await readApart(sources, made.spool.dir)}`, /another crash's are being read, or hang/);
  assert.match(`${await readApart(sources, "/nowhere")}`, /ENOENT/);
});
