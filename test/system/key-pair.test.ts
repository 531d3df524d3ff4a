import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { expiryMs, keyPairsIn, readKeyPair } from "../../src/system/key-pair.ts";
import { type Kept, renewed } from "../../src/webhook/pki/renewal.ts";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/tmp.ts";

const NOW_MS = Date.parse("2026-11-21T12:00:00Z");
const made = (): Kept => renewed({}, ["a.example"], NOW_MS) as Kept;

function folderWith(kept: Kept) {
  const folder = tempDir();
  const files = { certFile: join(folder.path, "tls.crt"), keyFile: join(folder.path, "tls.key") };
  const write = ({ "tls.crt": cert, "tls.key": key }: Kept) => {
    writeFileSync(files.certFile, cert);
    writeFileSync(files.keyFile, key);
  };
  write(kept);
  return { files, write, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

test("readKeyPair() names the file that cannot be read, or those that do not fit", () => {
  const kept = made();
  using folder = folderWith(kept);
  const { files } = folder;
  assert.deepEqual(readKeyPair(files), { cert: kept["tls.crt"], key: kept["tls.key"], ca: undefined });
  writeFileSync(files.keyFile, kept["ca.key"]);
  assert.throws(() => readKeyPair(files), { code: "SETTINGS_INVALID", message: /tls\.crt, .*tls\.key: .*mismatch/ });
  writeFileSync(files.keyFile, "text");
  assert.throws(() => readKeyPair(files), { code: "SETTINGS_INVALID" });
  folder.write(kept);
  const clientCaFile = join(files.keyFile, "../ca.crt");
  writeFileSync(clientCaFile, "text");
  assert.throws(() => readKeyPair({ ...files, clientCaFile }), { code: "SETTINGS_INVALID", message: /ca\.crt: / });
  rmSync(files.keyFile);
  assert.throws(() => readKeyPair(files), { code: "SETTINGS_INVALID", message: /^Cannot read .*tls\.key: ENOENT/ });
});

test("expiryMs() is the certificate's end", () => {
  assert.equal(expiryMs({ cert: made()["tls.crt"] }), NOW_MS + 90 * 24 * 3600_000);
});

test("keyPairsIn() gives each new pair once, and passes over what cannot be used", async () => {
  const [first, second] = [made(), made()];
  using folder = folderWith(first);
  const problems: string[] = [];
  const stopping = new AbortController();
  const onProblem = (problem: unknown) => problems.push(`${problem}`);
  const pairs = keyPairsIn(folder.files, onProblem, stopping.signal, 5);
  assert.equal((await pairs.next()).value?.cert, first["tls.crt"]);
  const next = pairs.next();
  writeFileSync(folder.files.certFile, second["tls.crt"]); // its key has not come yet
  await eventually(() => assert.match(problems.at(-1) ?? "", /mismatch/));
  rmSync(folder.files.keyFile);
  await eventually(() => assert.match(problems.at(-1) ?? "", /ENOENT/));
  folder.write(first);
  await eventually(() => assert.equal(problems.at(-1), "undefined"));
  folder.write(second);
  assert.equal((await next).value?.cert, second["tls.crt"]);
  const end = pairs.next();
  stopping.abort();
  assert.equal((await end).done, true);
});

test("keyPairsIn() fails where there is nothing to begin with", async () => {
  const files = { certFile: "/nowhere/tls.crt", keyFile: "/nowhere/tls.key" };
  await assert.rejects(keyPairsIn(files, () => undefined, new AbortController().signal).next(), {
    code: "SETTINGS_INVALID",
  });
});
