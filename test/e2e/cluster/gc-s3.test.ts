/** The collector's shelf on a real S3 server, with the rights that its hint names. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { S3Shelf } from "../../../src/store/shelf-s3.ts";
import { shelfContract } from "../../contract/shelf.ts";
import { FOREVER } from "../../contract/uploads.ts";
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
let prefixes = 0;

if (!skip)
  shelfContract("S3Shelf with the collector's rights", async () => {
    const prefix = `prod/${++prefixes}`;
    const keys = await s3.user(`collector-${prefixes}`, ...RIGHTS.map((right) => `s3:${right}`));
    const dir = tempDir();
    const owner = s3Sink(s3, { prefix });
    const settings = { s3Endpoint: s3.endpoint, s3CredentialsDir: keysIn(dir.path, keys) };
    return {
      shelf: new S3Shelf({ kind: "s3", bucket: s3.bucket, prefix }, settings),
      sink: owner.sink,
      [Symbol.asyncDispose]: async () => {
        await owner[Symbol.asyncDispose]();
        dir[Symbol.dispose]();
      },
    };
  });

check("S3Shelf says which rights are missing, and that the server is away", async () => {
  using dir = tempDir();
  const keys = await s3.user("poor", "s3:GetObject");
  const at = { kind: "s3", bucket: s3.bucket, prefix: "" } as const;
  const shelf = new S3Shelf(at, { s3Endpoint: s3.endpoint, s3CredentialsDir: keysIn(dir.path, keys) });
  const denied = { code: "STORE_DENIED", hint: /s3:DeleteObject/ };
  await assert.rejects(shelf.remove("x", FOREVER), denied);
  await assert.rejects(async () => {
    for await (const _ of shelf.list("", FOREVER));
  }, denied);
  const away = new S3Shelf(at, { s3Endpoint: "http://127.0.0.1:9", s3CredentialsDir: keysIn(dir.path, keys) });
  await assert.rejects(away.remove("x", FOREVER), { code: "STORE_UNAVAILABLE" });
});
