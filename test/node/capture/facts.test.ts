import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { test } from "node:test";
import { handled } from "../../roles/worlds.ts";

const KIB = 1024;
const MAPS = Buffer.alloc(512 * KIB, "x");

test("facts stand beside the core", async () => {
  using done = await handled({ proc: { maps: MAPS } });
  assert.equal(statSync(done.entry.path("facts/maps")).size, MAPS.length);
  assert.deepEqual(done.record.warnings, []);
});

test("the core comes before large facts where there is no room for both, and the record says so", async () => {
  using done = await handled({ proc: { maps: MAPS }, settings: { "cache-size": "256Ki" } });
  assert.deepEqual([done.record.state, done.record.core.complete], ["Captured", true]);
  assert.match(
    done.record.warnings.join(),
    /maps, mountinfo were not kept: no room in the cache for another 5\d\d KiB/,
  );
  const facts = readdirSync(done.entry.path("facts"));
  assert.ok(facts.includes("status") && !facts.includes("maps") && !facts.includes("cmdline"));
});

test("what is longer than is read of it is told in the record", async () => {
  using done = await handled({ proc: { cmdline: Buffer.alloc(1 << 20, "x") } });
  assert.deepEqual(done.record.warnings, ["its cmdline is longer than 128 KiB: cut there"]);
  assert.equal(statSync(done.entry.path("facts/cmdline")).size, 128 * KIB);
});

test("a dump of which nothing came keeps no large facts either", async () => {
  using done = await handled({ proc: { maps: MAPS }, stream: Buffer.alloc(0) });
  assert.equal(done.record.state, "Lost");
  assert.equal(existsSync(done.entry.path("facts/maps")), false);
});
