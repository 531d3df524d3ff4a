/** etcd's bad days, by a real one. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { EtcdClient } from "../../../../src/api/storage/etcd/client.ts";
import { compactOnce } from "../../../../src/api/storage/etcd/compaction.ts";
import { openEtcd } from "../../../../src/api/storage/etcd/etcd.ts";
import { openStorage } from "../../../../src/api/storage/open.ts";
import type { StorageSettings } from "../../../../src/config/storage-options.ts";
import type { DumpError } from "../../../../src/domain/failures.ts";
import { watching } from "../../../contract/storage.ts";
import { FOREVER } from "../../../contract/uploads.ts";
import { Etcd, type EtcdTls } from "../../../support/etcd.ts";
import { eventually } from "../../../support/eventually.ts";
import { freePort } from "../../../support/role-process.ts";
import { needs } from "../../../support/set-up.ts";
import { tempDir } from "../../../support/tmp.ts";

const exec = promisify(execFile);
const HASTY = { connectMs: 300, answerMs: 500 };

const settings = (etcdServers: string, more: Partial<StorageSettings> = {}): StorageSettings => ({
  ...{ etcdServers, etcdPrefix: "/registry", etcdCompactionMs: 0, database: "" },
  ...more,
});

const unavailable = (error: DumpError) => {
  assert.equal(error.code, "STORAGE_UNAVAILABLE", error.message);
  assert.match(error.message, /etcd/);
  assert.notEqual(error.hint, undefined);
  return true;
};

describe("EtcdStorage", { skip: needs("cluster") }, () => {
  test("says that etcd is gone, and goes on when it is back: watches, too", async () => {
    await using etcd = await Etcd.start();
    await using storage = await openEtcd(settings(etcd.url), HASTY);
    const first = await eventually(() => storage.create("/a", "1"));
    await using events = watching(storage, "/", first);
    const second = await storage.update("/a", "2", first);
    assert.deepEqual(
      (await events.take(1)).map(({ value }) => value),
      ["2"],
    );
    await etcd.down();
    await assert.rejects(storage.get("/a"), unavailable);
    await assert.rejects(storage.update("/a", "3", second), unavailable);
    await assert.rejects(storage.ping(), unavailable);
    etcd.up();
    const third = await eventually(() => storage.update("/a", "3", second));
    await storage.delete("/a", third);
    assert.deepEqual(
      (await events.take(2)).map(({ type, value }) => [type, value]),
      [
        ["put", "3"],
        ["delete", "3"],
      ],
    );
  });

  test("says that etcd is slow, in time", async () => {
    await using etcd = await Etcd.start();
    await using storage = await openEtcd(settings(etcd.url), HASTY);
    const first = await eventually(() => storage.create("/a", "1"));
    await using events = watching(storage, "/", first);
    await storage.update("/a", "2", first);
    await events.take(1);
    etcd.hang();
    await assert.rejects(storage.get("/a"), unavailable);
    await assert.rejects(storage.ping(), unavailable);
    etcd.goOn();
    assert.equal((await eventually(() => storage.get("/a")))?.value, "2");
    await storage.create("/b", "1");
    assert.deepEqual(
      (await events.take(1)).map(({ key }) => key),
      ["/b"],
    );
  });

  test("ends a watch when etcd does not come back", async () => {
    await using etcd = await Etcd.start();
    await using storage = await openEtcd(settings(etcd.url), { ...HASTY, returnMs: 500 });
    const first = await eventually(() => storage.create("/a", "1"));
    await using events = watching(storage, "/", first - 1n);
    await events.take(1);
    await etcd.down();
    await assert.rejects(events.take(1), unavailable);
  });

  test("finds that etcd was made anew: what comes next is not what came before", async () => {
    await using etcd = await Etcd.start();
    await using storage = await openEtcd(settings(etcd.url), HASTY);
    let revision = await eventually(() => storage.create("/a", "0"));
    for (let at = 1; at < 5; at++) revision = await storage.update("/a", `${at}`, revision);
    await using events = watching(storage, "/", revision - 1n);
    await events.take(1);
    await etcd.down();
    etcd.forget();
    etcd.up();
    await assert.rejects(events.take(1), { code: "API_GONE" });
    await assert.rejects(storage.list("/", { revision }), { code: "API_GONE" });
    assert.equal(await storage.get("/a"), undefined);
  });

  test("asks the members that answer", async () => {
    await using etcd = await Etcd.start();
    const nobody = `http://127.0.0.1:${await freePort()}`;
    await using storage = await openEtcd(settings(`${nobody},${etcd.url},${nobody}`), HASTY);
    const first = await eventually(() => storage.create("/a", "1"));
    await storage.update("/a", "2", first);
    assert.equal((await storage.get("/a"))?.value, "2");
  });

  test("says that etcd is full, and reads", async () => {
    await using etcd = await Etcd.start({ flags: ["--quota-backend-bytes", `${1 << 20}`] });
    await using storage = await openEtcd(settings(etcd.url), HASTY);
    await eventually(() => storage.ping());
    await assert.rejects(
      async () => {
        for (let at = 0; ; at++) await storage.create(`/${at}`, "x".repeat(100_000));
      },
      { code: "STORAGE_UNAVAILABLE", message: /space exceeded/, hint: /defragment/ },
    );
    assert.equal((await storage.get("/0"))?.value.length, 100_000);
  });

  test("says that an object is too large", async () => {
    await using etcd = await Etcd.start();
    await using storage = await openEtcd(settings(etcd.url), HASTY);
    await eventually(() => storage.ping());
    await assert.rejects(storage.create("/a", "x".repeat(2 << 20)), { code: "API_INVALID" });
  });

  test("knows itself to etcd by a certificate, and etcd by its authority", async () => {
    using dir = tempDir();
    const tls = certificates(dir.path);
    const ours = { etcdCaFile: tls.caFile, etcdCertFile: tls.certFile, etcdKeyFile: tls.keyFile };
    await using etcd = await Etcd.start({ tls });
    await using storage = await openEtcd(settings(etcd.url, ours));
    await eventually(() => storage.create("/a", "1"));
    await using stranger = await openEtcd(settings(etcd.url, { etcdCaFile: tls.caFile }), HASTY);
    await assert.rejects(stranger.get("/a"), unavailable);
    await using credulous = await openEtcd(settings(etcd.url, { ...ours, etcdCaFile: undefined }), HASTY);
    await assert.rejects(credulous.get("/a"), unavailable);
    await using forgetful = await openEtcd(settings(etcd.url, { ...ours, etcdKeyFile: join(dir.path, "none") }), HASTY);
    await assert.rejects(forgetful.get("/a"), { code: "STORAGE_UNAVAILABLE", message: /none/ });
  });

  test("does not take a certificate that names another address", async () => {
    using dir = tempDir();
    const tls = certificates(dir.path, "127.0.0.9");
    const ours = { etcdCaFile: tls.caFile, etcdCertFile: tls.certFile, etcdKeyFile: tls.keyFile };
    await using etcd = await Etcd.start({ tls });
    await eventually(() =>
      exec("curl", ["-s", "-k", "--cert", tls.certFile, "--key", tls.keyFile, `${etcd.url}/health`]),
    );
    await using storage = await openEtcd(settings(etcd.url, ours), HASTY);
    await assert.rejects(storage.get("/a"), unavailable);
  });

  test("takes a new certificate when the old one is refused", async () => {
    using dir = tempDir();
    const tls = certificates(dir.path);
    const ours = { ...tls, certFile: join(dir.path, "our.crt"), keyFile: join(dir.path, "our.key") };
    const strangers = certificates(join(dir.path, "elsewhere"));
    const use = (pair: EtcdTls) => {
      copyFileSync(pair.certFile, ours.certFile);
      copyFileSync(pair.keyFile, ours.keyFile);
    };
    await using etcd = await Etcd.start({ tls });
    const etcdCaFile = tls.caFile;
    const known = { etcdCaFile, etcdCertFile: tls.certFile, etcdKeyFile: tls.keyFile };
    await using other = await openEtcd(settings(etcd.url, known));
    await eventually(() => other.create("/a", "1"));
    use(strangers);
    const renewed = { etcdCaFile, etcdCertFile: ours.certFile, etcdKeyFile: ours.keyFile };
    await using storage = await openEtcd(settings(etcd.url, renewed), HASTY);
    await assert.rejects(storage.get("/a"), unavailable);
    use(tls);
    assert.equal((await eventually(() => storage.get("/a")))?.value, "1");
  });
});

test("compactOnce() of one server at a time forgets what was before its last turn", {
  skip: needs("cluster"),
}, async () => {
  await using etcd = await Etcd.start();
  await using storage = await openEtcd(settings(etcd.url));
  const [one, two] = [await EtcdClient.open(settings(etcd.url)), await EtcdClient.open(settings(etcd.url))];
  const first = await eventually(() => storage.create("/a", "1"));
  const begin = { version: "0", revision: "0" };
  const ofOne = await compactOnce(one, begin, FOREVER);
  const ofTwo = await compactOnce(two, begin, FOREVER);
  assert.equal(ofOne.version, ofTwo.version, "the second learns of the first");
  const second = await storage.update("/a", "2", first);
  await compactOnce(two, ofTwo, FOREVER);
  await assert.rejects(storage.list("/", { revision: first }), { code: "API_GONE" });
  await storage.list("/", { revision: second });
  const late = await compactOnce(one, ofOne, FOREVER); // it was the other's turn
  await storage.list("/", { revision: second });
  assert.notEqual(late.version, ofOne.version);
  one.close();
  two.close();
});

for (const etcdServers of ["", "etcd", "ftp://etcd:2379", "http://a:2379,,http://b:2379", "http://"]) {
  test(`openStorage() refuses --etcd-servers=${etcdServers}`, async () => {
    await assert.rejects(openStorage(settings(etcdServers)), { code: "SETTINGS_INVALID" });
  });
}

/** An authority, and one certificate for server and client. */
function certificates(folder: string, address = "127.0.0.1"): EtcdTls {
  mkdirSync(folder, { recursive: true });
  const [caFile, caKey, certFile, keyFile] = ["ca.crt", "ca.key", "own.crt", "own.key"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  const openssl = (...args: string[]) =>
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", ...args],
      { stdio: "ignore" },
    );
  openssl("-subj", "/CN=ca", "-keyout", caKey, "-out", caFile);
  openssl(
    "-subj",
    "/CN=own",
    "-keyout",
    keyFile,
    "-out",
    certFile,
    "-CA",
    caFile,
    "-CAkey",
    caKey,
    "-addext",
    "basicConstraints=CA:FALSE",
    "-addext",
    `subjectAltName=IP:${address}`,
  );
  return { caFile, certFile, keyFile };
}
