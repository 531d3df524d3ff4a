/** Our handler is killed, at every step that it takes; the dump's record tells it, and nothing is left behind. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { crash, crashUnder, Handler } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

/** Directories that were made and hold no record yet count as abandoned only when they are not young any more. */
function age(dir: string): void {
  for (const name of readdirSync(dir)) utimesSync(join(dir, name), 0, 0);
}

/** A dump's steps; of the two dozen facts the first stands for all. */
function stepsOf(handler: Handler): number[] {
  const steps = readFileSync(handler.steps, "latin1").trimEnd().split("\n");
  return steps.flatMap((step, at) => (!step.includes("/facts/") || step.endsWith("/stat") ? [at + 1] : []));
}

test("a handler killed at any step releases the process, and the next one finishes its record", { skip }, async () => {
  using handler = new Handler({ fault: "any:0:KILL" });
  await crashUnder(handler);
  await handler.ended();
  const steps = stepsOf(handler);
  rmSync(handler.dumpDir, { recursive: true });
  {
    await using _held = await holdPattern(handler.pattern());
    for (const step of steps) {
      handler.wrap(`any:${step}:KILL`);
      assert.equal((await crash(program("crash"), "0")).signal, "SIGSEGV");
      await handler.ended();
    }
    age(handler.dumpDir);
    handler.wrap(undefined);
    await crash(program("crash"), "0");
  }
  const [last, ...killed] = await handler.records();
  assert.equal(last?.core.complete, true);
  // Nothing can be known of those two that were killed before there was a directory.
  assert.equal(killed.length, steps.length - 2);
  const ends = killed.map(({ state, reason, core }) => [state, reason, core.truncation].join(" "));
  assert.deepEqual(
    new Set(ends),
    new Set(["Captured  ", "Captured Truncated handler-killed", "Lost NothingReceived handler-killed"]),
  );
});

for (const command of ["list", "info", "verify"]) {
  test(`${command} finishes the record of a killed handler`, { skip }, async () => {
    using handler = new Handler({ fault: "ftruncate64:1:KILL" });
    await crashUnder(handler);
    await handler.ended();
    const id = readdirSync(handler.dumpDir).find((name) => !name.startsWith(".")) ?? "";
    handler.command(command, ...(command === "list" ? [] : [id]));
    const record = JSON.parse(readFileSync(join(handler.dumpDir, id, "record.json"), "utf8"));
    assert.deepEqual(
      [record.state, record.reason, record.core.truncation],
      ["Captured", "Truncated", "handler-killed"],
    );
    assert.deepEqual(await handler.record(), record);
  });
}

for (const capture of ["direct", "drain"]) {
  test(`a handler killed in the middle of a copy (${capture}) keeps what had come`, { skip }, async () => {
    using handler = new Handler({ settings: { capture } });
    {
      await using _held = await holdPattern(handler.pattern());
      for (const afterMs of [60, 80, 100, 120]) {
        const crashed = crash(program("crash"), "192");
        while (handler.pids().length === 0) await sleep(2);
        await sleep(afterMs);
        for (const pid of handler.pids()) process.kill(pid, "SIGKILL");
        assert.equal((await crashed).signal, "SIGSEGV");
        await handler.ended();
      }
    }
    if (readdirSync(handler.dumpDir).length > 0) age(handler.dumpDir);
    for (const { state, core, executable, hostPid } of await handler.records()) {
      assert.ok(hostPid > 0);
      assert.equal(executable, "crash");
      assert.ok(core.truncation === "handler-killed" || core.complete, `${state} ${core.truncation}`);
    }
  });
}
