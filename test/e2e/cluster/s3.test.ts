/** The S3 sink on a real S3 server, with the rights that an agent has: to write, and to read nothing. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { GetObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { sinkContract } from "../../contract/sink.ts";
import { FOREVER, testUpload } from "../../contract/uploads.ts";
import { startS3 } from "../../support/s3.ts";
import { s3Sink } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");
const check: typeof test.skip = skip ? test.skip : test;
const s3 = skip ? (undefined as never) : await startS3();
after(() => s3?.[Symbol.asyncDispose]());
const agent = await s3?.user("agent", "s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload");

if (!skip) sinkContract("S3Sink with write-only rights", async () => s3Sink(s3, { keys: agent, prefix: "prod/eu" }));

check("the agent's keys read nothing", async () => {
  const upload = testUpload(randomBytes(100));
  await using under = s3Sink(s3, { keys: agent });
  await under.sink.put(upload, FOREVER);
  const client = s3.client(agent);
  const get = client.send(new GetObjectCommand({ Bucket: s3.bucket, Key: upload.key }));
  await assert.rejects(get, { name: "AccessDenied" });
  client.destroy();
});

check("put() leaves words beside the object", async () => {
  for (const bytes of [100, 9 << 20]) {
    const upload = testUpload(randomBytes(bytes));
    await using under = s3Sink(s3);
    await under.sink.put(upload, FOREVER);
    const head = await s3.client().send(new HeadObjectCommand({ Bucket: s3.bucket, Key: upload.key }));
    assert.deepEqual(head.Metadata, upload.metadata);
    assert.equal(head.ContentType, "application/zstd");
  }
});
