/** Our handler is killed, at every step that it takes; the dump's record tells it, and nothing is left behind. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FAILURES } from "../../../src/domain/failures.ts";
import { isDumpId } from "../../../src/domain/id.ts";
import { age, crash, crashUnder, Handler } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "testbed", "binary");

test("a handler killed at any step releases the process, and the next one finishes its record", { skip }, async () => {
  using handler = new Handler({ wrap: { fault: "any:0:KILL" } });
  await crashUnder(handler);
  await handler.ended();
  const steps = handler.stepsTaken();
  rmSync(handler.dumpDir, { recursive: true });
  using aside = tempDir(); // a handler looks at what others left, which takes steps of its own
  {
    await using _held = await holdPattern(handler.pattern());
    for (const step of steps) {
      handler.wrap({ fault: `any:${step}:KILL` });
      assert.equal((await crash(program("crash"), "0")).signal, "SIGSEGV");
      await handler.ended();
      move(handler.dumpDir, aside.path);
    }
    move(aside.path, handler.dumpDir);
    age(handler.dumpDir);
    handler.wrap();
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

/** All dumps' directories. */
function move(from: string, to: string): void {
  const dumps = existsSync(from) ? readdirSync(from).filter((name) => !name.startsWith(".")) : [];
  for (const name of dumps) renameSync(join(from, name), join(to, name));
}

for (const command of ["list", "info", "verify"]) {
  test(`${command} finishes the record of a killed handler`, { skip }, async () => {
    using handler = new Handler({ wrap: { fault: "ftruncate64:1:KILL" } });
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

test("a dump that is being captured is shown, left alone, and not to be deleted", { skip }, async () => {
  using handler = new Handler();
  {
    await using _held = await holdPattern(handler.pattern());
    const crashed = crash(program("crash"), "64");
    const pid = await handler.stopInTheMiddle();
    const [record] = JSON.parse(handler.command("list", "-o", "json").stdout);
    assert.deepEqual([record.state, record.core.complete], ["Capturing", null]);
    assert.equal(handler.command("info", record.id).status, 0);
    assert.equal(handler.command("delete", record.id).status, FAILURES.DUMP_BUSY.exitCode);
    assert.notEqual(handler.command("verify", record.id).status, 0);
    process.kill(pid, "SIGCONT");
    await crashed;
  }
  assert.equal((await handler.record()).core.complete, true);
});

for (const capture of ["direct", "drain"]) {
  test(`a handler killed in the middle of a copy (${capture}) keeps what had come`, { skip }, async () => {
    using handler = new Handler({ settings: { capture } });
    {
      await using _held = await holdPattern(handler.pattern());
      for (const mib of [0, 8, 16, 32]) {
        const crashed = crash(program("crash"), "192");
        process.kill(await handler.stopInTheMiddle((mib << 20) + 1), "SIGKILL");
        assert.equal((await crashed).signal, "SIGSEGV");
        await handler.ended();
      }
    }
    age(handler.dumpDir);
    // All of them together are too long for a command that is asked for none of them.
    for (const id of readdirSync(handler.dumpDir).filter(isDumpId)) assert.equal(handler.command("info", id).status, 0);
    for (const { state, core, executable, hostPid } of await handler.records()) {
      assert.ok(hostPid > 0);
      assert.equal(executable, "crash");
      assert.ok(core.truncation === "handler-killed" || core.complete, `${state} ${core.truncation}`);
    }
  });
}
