import { openSource } from "/work/main/src/store/source.ts";
import { Bundles } from "/work/main/src/download/bundles.ts";
import { openDump } from "/work/main/src/download/dump.ts";
import { startS3 } from "/work/main/test/support/s3.ts";
import { s3Sink, keysIn } from "/work/main/test/support/s3-sink.ts";
import { readFileSync, createReadStream, statSync } from "node:fs";
import { PutObjectCommand } from "@aws-sdk/client-s3";
const object = JSON.parse(readFileSync("/tmp/h-download/dense.json", "utf8"));
await using s3 = await startS3();
const key = object.status.key;
const owner = s3.client();
const path = "/tmp/h-download/store/" + key;
await owner.send(new PutObjectCommand({ Bucket: s3.bucket, Key: key, Body: readFileSync(path) }));
const kube = { json: async ({ path }: any) => path.includes("coredumps") ? object : { metadata: { name: "shop", uid: "ns-uid" } } } as never;
const FOREVER = new AbortController().signal;
for (const settings of [{ store: "/tmp/h-download/store" }, { store: `s3://${s3.bucket}`, s3Endpoint: s3.endpoint, s3CredentialsDir: keysIn("/tmp/h-download", s3) }]) {
  const source = await openSource(settings as never);
  for (let i = 0; i < 2; i++) {
  const stored = await source.head(key, FOREVER);
  let t = performance.now(), cpu = process.cpuUsage();
  for (let at = 0; at < stored.sizeBytes; at += 4 << 20) await source.read(stored, at, Math.min(4 << 20, stored.sizeBytes - at), FOREVER);
  let c = process.cpuUsage(cpu);
  console.log(settings.store, "raw", Math.round(performance.now() - t), "ms, cpu", Math.round((c.user + c.system) / 1000));
  const d = await openDump({ namespace: "shop", name: object.metadata.name, part: "core" }, { kube, bundles: new Bundles(source) }, FOREVER);
  t = performance.now(), cpu = process.cpuUsage();
  let n = 0; for await (const chunk of d.read(0, d.lengthBytes, FOREVER)) n += chunk.length;
  c = process.cpuUsage(cpu);
  console.log(settings.store, "core", n, Math.round(performance.now() - t), "ms, cpu", Math.round((c.user + c.system) / 1000));
  }
}
owner.destroy();
