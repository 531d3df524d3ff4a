/** Settings that do not fit the store show before there is a dump; a store that is away for a while drains no node. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pino } from "pino";
import { DumpError } from "../../src/domain/failures.ts";
import { RoleLog } from "../../src/roles/role-log.ts";
import { isForGood, StoreHealth } from "../../src/roles/store-health.ts";
import { readProbe, writeProbe } from "../../src/store/open.ts";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/tmp.ts";

const NO_BUCKET = new DumpError("STORE_MISSING", "Cannot begin x in s3://cores: no such bucket", { hint: "make it" });
const AWAY = new DumpError("STORE_UNAVAILABLE", "Cannot begin x in s3://cores: the store does not answer");
const FOREVER = new AbortController().signal;

function healthOf(probe: (signal: AbortSignal) => Promise<void>, blocks?: (error: unknown) => boolean) {
  const [said, set]: [{ level: string; msg: string }[], number[]] = [[], []];
  const how = { base: null, formatters: { level: (level: string) => ({ level }) } };
  const log = pino(how, { write: (line) => said.push(JSON.parse(line)) });
  const diary = new RoleLog(log, () => undefined);
  const up = { set: (value: number) => set.push(value) } as never;
  const watch = { volume: "s3://cores", probe, log: diary, up, ...(blocks && { blocks }) };
  return { health: new StoreHealth(watch, () => new Date(0)), diary, said, set };
}

test("StoreHealth makes a role not ready until the store has let it in once, and never again", () => {
  const { health, diary, said, set } = healthOf(async () => undefined);
  assert.equal(health.status.isUp, undefined);
  health.saw(NO_BUCKET);
  assert.deepEqual(diary.problems(), ["Cannot begin x in s3://cores: no such bucket"]);
  assert.deepEqual(health.status, {
    ...{ volume: "s3://cores", isUp: false, since: "1970-01-01T00:00:00.000Z" },
    ...{ why: "Cannot begin x in s3://cores: no such bucket", hint: "make it" },
  });
  health.saw(undefined);
  assert.deepEqual(diary.problems(), []);
  health.saw(AWAY);
  assert.deepEqual([diary.problems(), health.status.isUp], [[], false]);
  assert.deepEqual([said.at(-1)?.level, said.at(-1)?.msg, set], ["warn", AWAY.message, [0, 1, 0]]);
  health.saw(new DumpError("NOT_FOUND", "its Coredump was deleted"));
  assert.equal(health.status.why, AWAY.message, "what is not the store's says nothing of it");
});

test("StoreHealth of a role that must serve lets only wrong settings stand in the way", () => {
  const { health, diary } = healthOf(async () => undefined, isForGood);
  health.saw(AWAY);
  assert.deepEqual([diary.problems(), health.status.isUp], [[], false]);
  health.saw(NO_BUCKET);
  assert.equal(diary.problems().length, 1);
  health.saw(AWAY);
  assert.deepEqual(diary.problems(), []);
});

test("StoreHealth.run() asks at the start, and again soon when an act failed", async (t) => {
  let asked = 0;
  const { health } = healthOf(async () => void asked++);
  const stop = new AbortController();
  t.after(() => stop.abort());
  const running = health.run(stop.signal);
  await eventually(() => assert.equal(health.status.isUp, true));
  health.saw(AWAY);
  await eventually(() => assert.deepEqual([asked, health.status.isUp], [2, true]));
  stop.abort();
  await running;
});

test("writeProbe() and readProbe() of a directory leave nothing, and name what is wrong", async () => {
  using dir = tempDir();
  const [there, gone, file] = [join(dir.path, "there"), join(dir.path, "gone"), join(dir.path, "file")];
  mkdirSync(there);
  writeFileSync(file, "");
  for (const probeOf of [writeProbe, readProbe]) {
    await probeOf({ store: there })(FOREVER);
    assert.deepEqual(readdirSync(there), []);
    await assert.rejects(probeOf({ store: gone })(FOREVER), { code: "STORE_MISSING" });
    assert.ok(!existsSync(gone));
    await assert.rejects(probeOf({ store: file })(FOREVER), { code: "STORE_DENIED" });
  }
});
