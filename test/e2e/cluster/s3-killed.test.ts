/** An uploading process that is killed, again and again: what was sent is not sent again, and the bundle comes out whole. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { keyOf } from "../../../src/store/bundle/key.ts";
import { openSink } from "../../../src/store/open.ts";
import { abandon, ship } from "../../../src/store/upload/ship.ts";
import { FOREVER } from "../../contract/uploads.ts";
import { bundled, type TestDump, testDump } from "../../store/upload/dumps.ts";
import { faultyProxy } from "../../support/faults-http.ts";
import { ROOT } from "../../support/paths.ts";
import { startS3 } from "../../support/s3.ts";
import { keysIn, s3Sink } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const MIB = 1 << 20;
const skip = needs("root", "cluster");
const check: typeof test.skip = skip ? test.skip : test;
const s3 = skip ? (undefined as never) : await startS3();
after(() => s3?.[Symbol.asyncDispose]());

/** Thirty megabytes that do not compress, and a hole. */
const dumpOf = (): TestDump => testDump(100 * MIB, [{ atBytes: 50 * MIB, bytes: randomBytes(30 * MIB) }]);

type Settings = Readonly<Record<string, unknown>> & { store: string };

async function started(dump: TestDump, settings: Settings): Promise<ChildProcess> {
  const [record, file] = [dump.path("record.json"), dump.path("settings.json")];
  writeFileSync(record, JSON.stringify(dump.record));
  writeFileSync(file, JSON.stringify(settings));
  const child = spawn(join(ROOT, "bin/node"), [join(ROOT, "test/support/ship-child.ts"), dump.dir, record, file], {
    stdio: "ignore",
  });
  await once(child, "spawn");
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

const noted = (dump: TestDump): string => {
  try {
    return readFileSync(dump.path("upload.json"), "utf8");
  } catch {
    return "";
  }
};

async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 60_000; !isSo(); await sleep(10))
    assert.ok(performance.now() < end, "in a minute");
}

check("an upload to S3 whose process is killed goes on in the next", async () => {
  await using proxy = await faultyProxy(s3.endpoint);
  await using under = s3Sink(s3);
  using dump = dumpOf();
  const settings = { store: `s3://${s3.bucket}`, s3Endpoint: proxy.endpoint, s3CredentialsDir: keysIn(dump.dir, s3) };
  const child = await started(dump, { ...settings, uploadBytesPerS: 10 * MIB });
  await until(() => (noted(dump).match(/etag/g) ?? []).length >= 3);
  await killed(child);
  proxy.receivedBytes = 0;
  await ship(dump.record, dump, await openSink(settings), FOREVER);
  assert.ok(proxy.receivedBytes < 17 * MIB, `sent ${proxy.receivedBytes} of 30 MiB again`);
  assert.ok((await under.stored(keyOf(dump.record)))?.equals(await bundled(dump)));
  assert.deepEqual(await under.leftovers(), []);
});

check("an upload to a directory whose process is killed goes on in the next", async () => {
  using dir = tempDir();
  using dump = dumpOf();
  const settings = { store: dir.path };
  const child = await started(dump, { ...settings, uploadBytesPerS: 20 * MIB });
  await until(() => noted(dump) !== "");
  await killed(child);
  const file = join(dir.path, keyOf(dump.record));
  const part = statSync(file.replace(/[^/]*$/, ".$&.part"));
  await ship(dump.record, dump, await openSink(settings), FOREVER);
  assert.equal(statSync(file).ino, part.ino, "the same file");
  assert.ok(readFileSync(file).equals(await bundled(dump)));
});

for (const kind of ["S3", "directory"] as const) {
  check(`an upload to ${kind} that is killed at any time, many times, comes out whole`, async () => {
    using dir = tempDir();
    using dump = dumpOf();
    await using under = s3Sink(s3);
    mkdirSync(join(dir.path, "store"));
    const settings: Settings =
      kind === "directory"
        ? { store: join(dir.path, "store") }
        : { store: `s3://${s3.bucket}`, s3Endpoint: s3.endpoint, s3CredentialsDir: keysIn(dump.dir, s3) };
    for (let kills = 0; kills < 8; kills++) {
      const child = await started(dump, settings);
      await Promise.race([sleep(150 + randomInt(400)), once(child, "exit")]);
      await killed(child);
    }
    await ship(dump.record, dump, await openSink(settings), FOREVER);
    const key = keyOf(dump.record);
    const bytes = kind === "S3" ? await under.stored(key) : readFileSync(join(settings.store, key));
    assert.ok(bytes?.equals(await bundled(dump))); // one that is killed before it can note its upload's id leaves it to the collector
  });
}

check("abandon() removes what a killed upload left", async () => {
  await using under = s3Sink(s3);
  using dump = dumpOf();
  const settings = { store: `s3://${s3.bucket}`, s3Endpoint: s3.endpoint, s3CredentialsDir: keysIn(dump.dir, s3) };
  const before = await under.leftovers(); // of uploads above that were killed before they could note their ids
  const child = await started(dump, { ...settings, uploadBytesPerS: 10 * MIB });
  await until(() => noted(dump).includes("etag"));
  await killed(child);
  assert.equal((await under.leftovers()).length, before.length + 1);
  const sink = await openSink(settings);
  await abandon(dump.record, dump, sink, FOREVER);
  await abandon(dump.record, dump, sink, FOREVER);
  assert.deepEqual(await under.leftovers(), before);
});
