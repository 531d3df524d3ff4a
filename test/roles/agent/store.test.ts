import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { globSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DumpError } from "../../../src/domain/failures.ts";
import { Entry } from "../../../src/node/cache/spool.ts";
import { shipTo } from "../../../src/roles/agent/store.ts";
import { testDump } from "../../store/upload/dumps.ts";
import { tempDir } from "../../support/tmp.ts";

const MIB = 1 << 20;

test("shipTo() refuses a store that is none before there is a dump", () => {
  assert.throws(() => shipTo({ store: "cores" }), { code: "SETTINGS_INVALID" });
  assert.equal(shipTo({}), undefined);
});

for (const { on, reason, left } of [
  { on: "a dump that was deleted", reason: new DumpError("NOT_FOUND", "its Coredump was deleted"), left: 0 },
  { on: "the agent's end", reason: new Error("SIGTERM"), left: 1 }, // the next agent goes on with it
]) {
  test(`shipTo() leaves ${left === 0 ? "nothing" : "what was sent"} in the store at ${on}`, async () => {
    using dir = tempDir();
    using dump = testDump(30 * MIB, [{ atBytes: 0, bytes: randomBytes(30 * MIB) }]);
    const ship = shipTo({ store: dir.path, uploadBytesPerS: BigInt(25 * MIB) });
    const stop = new AbortController();
    const shipped = ship?.(dump.record, new Entry(dump.dir, dump.record.id), stop.signal);
    const isUnderWay = () => globSync("upload.json", { cwd: dump.dir }).length > 0;
    for (let tries = 0; !isUnderWay() && tries < 1000; tries++) await sleep(10);
    stop.abort(reason);
    await assert.rejects(async () => await shipped, reason);
    assert.equal(globSync("**/.*.part", { cwd: dir.path }).length, left);
  });
}
