/** What a process says of itself has no bound of its own: the handler stays small, and what it keeps is counted. */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compiled, crash, Handler } from "../../support/faults.ts";
import { holdPattern } from "../../support/pattern.ts";
import { peakMib } from "../../support/peak.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "testbed", "binary");
const MOST_MIB = 150;

const BOMBS = [
  {
    on: "a command line of 3000 MiB",
    args: ["cmdline", "3000"],
    warning: /cmdline is longer than 128 KiB/,
    fact: "cmdline",
  },
  { on: "239 MiB of mappings", args: ["maps", "65000"], warning: /maps is longer than 32 MiB/, fact: "maps" },
] as const;

for (const { on, args, warning, fact } of BOMBS) {
  test(`${on}: the handler takes at most ${MOST_MIB} MiB, four times at once too, and the core is whole`, {
    skip,
  }, async () => {
    using scratch = tempDir();
    using handler = new Handler();
    await using _held = await holdPattern(handler.pattern());
    const one = () => crash("/bin/sh", "-c", 'cd "$0" && exec "$@"', scratch.path, compiled("odd"), ...args);
    const alone = await peakMib(handler, one);
    const four = await peakMib(handler, () => Promise.all([one(), one(), one(), one()]));
    assert.ok(alone <= MOST_MIB && four <= MOST_MIB, `alone ${alone} MiB, the largest of four ${four} MiB`);
    for (const record of await handler.records()) {
      assert.equal(record.core.complete, true, JSON.stringify(record));
      assert.match(record.warnings.join("\n"), warning);
      const kept = join(handler.dumpDir, record.id, "facts", fact);
      assert.ok(!existsSync(kept) || statSync(kept).size <= 32 << 20);
    }
  });
}

test("facts count against the cache, and go with the core", { skip }, async () => {
  using scratch = tempDir();
  using handler = new Handler({ settings: { "cache-size": "24Mi" } });
  await using _held = await holdPattern(handler.pattern());
  // 4,000 of them make some 15 MiB: one dump's facts fit, two do not.
  for (let round = 0; round < 2; round++) {
    await crash("/bin/sh", "-c", 'cd "$0" && exec "$@"', scratch.path, compiled("odd"), "maps", "4000");
    await handler.ended(); // what is not sealed is nobody's to evict
  }
  const [second, first] = await handler.records();
  assert.ok(first && second);
  assert.deepEqual([second.state, first.state], ["Captured", "Evicted"]);
  const maps = ({ id }: typeof first) => join(handler.dumpDir, id, "facts/maps");
  assert.equal(existsSync(maps(first)), false);
  assert.ok(statSync(maps(second)).size > 12 << 20);
});

for (const count of [300, 2000]) {
  test(`of ${count} threads all that the record lists have names, the crashed one first`, { skip }, async () => {
    using handler = new Handler({ crashesOf: "anybody" }); // in a namespace of its own it is another one's child
    await using _held = await holdPattern(handler.pattern());
    await crash("/usr/bin/unshare", "--pid", "--fork", "--kill-child", compiled("odd"), "threads", `${count}`);
    await crash(compiled("odd"), "threads", `${count}`);
    const records = (await handler.records()).filter(({ executable }) => executable === "odd");
    for (const { threads, threadCount } of records) {
      assert.deepEqual([threads[0]?.name, threads[0]?.crashed], [`worker-${count}`, true]);
      assert.deepEqual([threads.length, threadCount], [256, count + 1]);
      assert.deepEqual(
        threads.filter(({ name }) => name === null),
        [],
      );
    }
    assert.equal(records.length, 2);
  });
}

test("what a core lacks though it is complete, and whose file is gone, is said", { skip }, async () => {
  using scratch = tempDir();
  using handler = new Handler();
  await using _held = await holdPattern(handler.pattern());
  const copy = join(scratch.path, "copy");
  copyFileSync(compiled("odd"), copy);
  chmodSync(copy, 0o755);
  await crash(compiled("odd"), "filter", "0");
  await crash(copy, "unlinked", copy);
  await crash(compiled("odd"), "comm", "known-as");
  const [renamed, unlinked, filtered] = await handler.records();
  assert.ok(renamed && unlinked && filtered);
  assert.match(filtered.warnings.join(), /coredump_filter 0x0 left out private anonymous memory/);
  assert.equal(readFileSync(join(handler.dumpDir, filtered.id, "facts/coredump_filter"), "latin1"), "00000000\n");
  assert.match(unlinked.warnings.join(), /replaced or deleted while it ran/);
  assert.deepEqual([unlinked.exe, renamed.warnings], [copy, []]);
  assert.match(handler.command("list").stdout, /odd \(known-as\)/);
});
