/** More than there is room for: one dump too big, a cache too small, too many crashes at once. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openCache } from "../../../src/node/cache/cache.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { compiled, crash, crashUnder, Handler } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");
const MIB = 1 << 20;

test("a dump that is too big is refused before its first byte, and says so", { skip }, async () => {
  using handler = new Handler({ settings: { "max-dump-size": "1Mi" } });
  assert.equal((await crashUnder(handler, ["4"])).signal, "SIGSEGV");
  const { state, reason, message, core, executable, signal } = await handler.record();
  assert.deepEqual(
    [state, reason, core.path, executable, signal?.name],
    ["Refused", "TooBig", null, "crash", "SIGSEGV"],
  );
  assert.match(message ?? "", /^too big: [45]\.\d MiB, limit 1 MiB$/);
});

for (const [limit, truncation] of [
  ["max-dump-size", "size-cap"],
  ["cache-size", "cache-full"],
] as const) {
  test(`a dump that grows beyond --${limit} is cut there, and says so: ${truncation}`, { skip }, async () => {
    // Its pages are in a file, not in memory: nobody could know before.
    using handler = new Handler({ settings: { [limit]: "8Mi" } });
    await crashUnder(handler, ["file", "32"], { command: compiled("memory") });
    const { state, reason, core } = await handler.record();
    assert.deepEqual([state, reason, core.truncation], ["Captured", "Truncated", truncation]);
    assert.ok((core.storedBytes ?? 0) <= 8 * MIB && (core.storedBytes ?? 0) > 0, `${core.storedBytes} bytes held`);
  });
}

test("the oldest dumps make room, and nothing goes for one that would not fit anyway", { skip }, async () => {
  using handler = new Handler({ settings: { "cache-size": "16Mi" } });
  {
    await using _held = await holdPattern(handler.pattern());
    for (const mib of ["6", "6", "6", "24"]) {
      await crash(program("crash"), mib);
      await handler.ended();
    }
  }
  const ends = (await handler.records()).map(({ state, reason }) => `${state} ${reason}`).reverse();
  assert.deepEqual(ends, ["Evicted MadeRoom", "Captured null", "Captured null", "Refused NoRoom"]);
});

test("twenty crashes at once wait for four places, and none is lost", { skip }, async () => {
  using handler = new Handler({ settings: { "max-dumps": 4 } });
  {
    await using _held = await holdPattern(handler.pattern());
    const ends = await Promise.all(Array.from({ length: 20 }, () => crash(program("crash"), "2", "3")));
    assert.ok(ends.every(({ signal }) => signal === "SIGSEGV"));
  }
  const records = await handler.records();
  assert.equal(new Set(records.map(({ hostPid }) => hostPid)).size, 20);
  assert.ok(records.every(({ state, core }) => state === "Captured" && core.complete));
  const slots = readdirSync(join(handler.dumpDir, ".slots"));
  assert.ok(slots.length > 0 && slots.every((slot) => Number(slot) < 4), `places ${slots}`);
});

test("a dump whose turn does not come is captured all the same", { skip }, async () => {
  using handler = new Handler({ settings: { "max-dumps": 1, "slot-wait": "200ms" } });
  mkdirSync(join(handler.dumpDir, ".slots"), { recursive: true, mode: 0o700 });
  {
    using _taken = FileLock.try(join(handler.dumpDir, ".slots/0"));
    assert.equal((await crashUnder(handler)).signal, "SIGSEGV");
    await handler.ended();
  }
  assert.equal((await handler.record()).core.complete, true);
});

test("dumps at once never take more than the last room together", { skip }, async () => {
  using handler = new Handler({ settings: { "cache-size": "20Mi" } });
  {
    await using _held = await holdPattern(handler.pattern());
    await Promise.all(Array.from({ length: 6 }, () => crash(program("crash"), "5")));
  }
  const records = await handler.records();
  assert.equal(records.length, 6);
  const held = records.filter(({ state }) => state === "Captured");
  assert.ok(held.every(({ core }) => core.complete));
  const heldBytes = held.reduce((sum, { core }) => sum + (core.storedBytes ?? 0), 0);
  assert.ok(heldBytes <= 20 * MIB && held.length === 3, `${held.length} dumps of ${heldBytes} bytes`);
  for (const { state, reason } of records)
    assert.match(`${state} ${reason}`, /^(Captured null|Evicted MadeRoom|Refused NoRoom)$/);
});

test("a crash loop does not fill the disk with records: the oldest that hold nothing are forgotten", {
  skip,
}, async () => {
  using handler = new Handler({ settings: { "max-dump-size": "1" } });
  await crashUnder(handler);
  const { id } = await handler.record();
  const text = readFileSync(handler.path(id, "record.json"), "utf8");
  const older = (n: number) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
  for (let n = 0; n < 2100; n++) {
    mkdirSync(join(handler.dumpDir, older(n)));
    writeFileSync(join(handler.dumpDir, older(n), "record.json"), text.replaceAll(id, older(n)));
  }
  await crashUnder(handler);
  await handler.ended();
  const left = openCache(handler.dumpDir)
    .records()
    .map(({ id }) => id);
  assert.equal(left.length, 1900); // 2000 at most: when there are more, some go at once
  assert.ok(left.includes(id) && left.includes(older(2099)) && !left.includes(older(0)));
});

test("a reservation of a killed handler takes nobody's room", { skip }, async () => {
  using handler = new Handler({ settings: { "cache-size": "8Mi" }, wrap: { fault: "pwrite64:1:KILL" } });
  await crashUnder(handler, ["6"]);
  await handler.ended();
  const [id = ""] = readdirSync(handler.dumpDir).filter((name) => !name.startsWith("."));
  assert.match(readFileSync(join(handler.dumpDir, id, "reserved"), "latin1"), /^[1-9]\d+ *$/);
  handler.wrap();
  await crashUnder(handler, ["6"]);
  const [next, killed] = await handler.records();
  assert.deepEqual([next?.state, next?.core.complete, killed?.state], ["Captured", true, "Lost"]);
});
