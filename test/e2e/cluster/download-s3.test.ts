/** Bundles read from a real S3 server, with the right to get objects and no other. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { S3Source } from "../../../src/store/s3/source.ts";
import { type SourceUnderTest, sourceContract } from "../../contract/source.ts";
import { FOREVER, randomKey } from "../../contract/uploads.ts";
import { type Keys, startS3 } from "../../support/s3.ts";
import { keysIn } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster");
const check: typeof test.skip = skip ? test.skip : test;
const s3 = skip ? (undefined as never) : await startS3();
after(() => s3?.[Symbol.asyncDispose]());
const reader = await s3?.user("reader", "s3:GetObject", "s3:ListBucket");

/** @param how  as whom, and where */
function s3Source({
  keys = reader as Keys,
  prefix = "prod/eu",
  bucket = s3.bucket,
  stallMs = 20_000,
} = {}): SourceUnderTest {
  const dir = tempDir();
  const settings = { s3Endpoint: s3.endpoint, s3CredentialsDir: keysIn(dir.path, keys) };
  const owner = s3.client();
  const at = (key: string) => ({ Bucket: s3.bucket, Key: `${prefix}/${key}` });
  return {
    source: new S3Source({ kind: "s3", bucket, prefix }, settings, { stallMs }),
    put: async (key, Body) => void (await owner.send(new PutObjectCommand({ ...at(key), Body }))),
    remove: async (key) => void (await owner.send(new DeleteObjectCommand(at(key)))),
    async [Symbol.asyncDispose]() {
      owner.destroy();
      dir[Symbol.dispose]();
    },
  };
}

if (!skip) sourceContract("S3Source", async () => s3Source());

check("who may not read is told which right is missing", async () => {
  const writer = await s3.user("writer", "s3:PutObject");
  await using under = s3Source({ keys: writer });
  const key = randomKey();
  await under.put(key, randomBytes(100));
  await assert.rejects(under.source.head(key, FOREVER), { code: "STORE_DENIED", hint: /s3:GetObject/ });
});

check("a bucket that is not there is no missing bundle", async () => {
  await using under = s3Source({ keys: s3, bucket: "nobodys" });
  const stored = { key: randomKey(), sizeBytes: 10, version: '"x"' };
  await assert.rejects(under.source.read(stored, 0, 10, FOREVER), { code: "STORE_MISSING" });
});

check("a server that is away is said to be away", async () => {
  await using under = s3Source({ keys: s3 });
  const key = randomKey();
  await under.put(key, randomBytes(100));
  await s3.down();
  await assert.rejects(under.source.head(key, FOREVER), { code: "STORE_UNAVAILABLE", hint: /try again/ });
  await s3.up();
  assert.equal((await under.source.head(key, FOREVER)).sizeBytes, 100);
});
