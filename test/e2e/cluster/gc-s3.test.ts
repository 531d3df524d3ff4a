/** The collector on a real S3 server, with the rights that its hint names. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { S3Store } from "../../../src/store/s3/bundle-store.ts";
import { bundleStoreContract } from "../../contract/bundle-store.ts";
import { FOREVER, testUpload } from "../../contract/uploads.ts";
import { startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { Gc, savedDump } from "../../support/gc.ts";
import { startS3 } from "../../support/s3.ts";
import { keysIn, s3Sink } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster");
const check: typeof test.skip = skip ? test.skip : test;
const s3 = skip ? (undefined as never) : await startS3();
after(() => s3?.[Symbol.asyncDispose]());

const RIGHTS = [
  "ListBucket",
  "ListBucketMultipartUploads",
  "GetObject",
  "PutObject",
  "DeleteObject",
  "AbortMultipartUpload",
];
const POD = "0d9c1f9e-0000-4000-8000-000000000001";
let prefixes = 0;

if (!skip)
  bundleStoreContract("S3Store with the collector's rights", async () => {
    const prefix = `prod/${++prefixes}`;
    const keys = await s3.user(`collector-${prefixes}`, ...RIGHTS.map((right) => `s3:${right}`));
    const dir = tempDir();
    const owner = s3Sink(s3, { prefix });
    const settings = { s3Endpoint: s3.endpoint, s3CredentialsDir: keysIn(dir.path, keys) };
    return {
      store: new S3Store({ kind: "s3", bucket: s3.bucket, prefix }, settings),
      sink: owner.sink,
      [Symbol.asyncDispose]: async () => {
        await owner[Symbol.asyncDispose]();
        dir[Symbol.dispose]();
      },
    };
  });

check("S3Store says which rights are missing, and that the server is away", async () => {
  using dir = tempDir();
  const keys = await s3.user("poor", "s3:GetObject");
  const at = { kind: "s3", bucket: s3.bucket, prefix: "" } as const;
  const store = new S3Store(at, { s3Endpoint: s3.endpoint, s3CredentialsDir: keysIn(dir.path, keys) });
  const denied = { code: "STORE_DENIED", hint: /s3:DeleteObject/ };
  await assert.rejects(store.remove("x", FOREVER), denied);
  await assert.rejects(async () => {
    for await (const _ of store.list("", FOREVER));
  }, denied);
  const away = new S3Store(at, { s3Endpoint: "http://127.0.0.1:9", s3CredentialsDir: keysIn(dir.path, keys) });
  await assert.rejects(away.remove("x", FOREVER), { code: "STORE_UNAVAILABLE" });
});

check("the collector looks after a bucket: of two, one at a time", async () => {
  await using cluster = await startCluster();
  await applyCrds(cluster);
  using dir = tempDir();
  const keys = await s3.user("gc", ...RIGHTS.map((right) => `s3:${right}`));
  const settings = ["--s3-endpoint", s3.endpoint, "--s3-credentials-dir", keysIn(dir.path, keys)];
  const flags = ["--store", `s3://${s3.bucket}/gc`, ...settings, "--upload-grace", "1s"];
  await cluster.kubectl("create", "namespace", "coredump-system");
  const going = await cluster.get("namespace", await cluster.namespace());
  const staying = await cluster.get("namespace", await cluster.namespace());
  await using agent = s3Sink(s3, { prefix: "gc" });
  const [lost, kept] = [await savedDump(cluster, going, POD), await savedDump(cluster, staying, POD)];
  for (const { key } of [lost, kept]) await agent.sink.put(testUpload(Buffer.alloc(10), { key }), FOREVER);
  const unfinished = testUpload(Buffer.alloc(12 << 20));
  unfinished.before = (at) => {
    if (at > 9 << 20) throw new Error("its node is gone");
  };
  await assert.rejects(agent.sink.put(unfinished, FOREVER));

  await using first = await Gc.start(cluster.kubeconfig, ...flags);
  await eventually(async () => assert.deepEqual(await agent.leftovers(), []));
  await first.leads();
  assert.ok((await agent.stored(lost.key)) && (await agent.stored(kept.key)));
  assert.match(String(await agent.stored(".coredump-detector.json")), /clusterUid/);
  await using second = await Gc.start(cluster.kubeconfig, ...flags);
  await eventually(() => assert.match(second.said, /Standing by/));
  await first.end("SIGKILL");
  await cluster.kubectl("delete", "namespace", going.metadata["name"], "--wait=false");
  await eventually(async () => assert.equal(await agent.stored(lost.key), undefined));
  await second.leads();
  await second.looksAgain();
  await s3.down();
  await eventually(async () => assert.match((await second.ask("/readyz")).text, /refuses the connection/));
  await s3.up();
  await eventually(async () => assert.equal((await second.ask("/readyz")).status, 200));
  assert.ok(await agent.stored(kept.key));
  assert.equal(await second.end(), 0);
});
