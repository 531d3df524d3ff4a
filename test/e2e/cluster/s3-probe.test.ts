/** Whether an S3 store lets a role in, with that role's rights alone: what is wrong shows before there is a dump. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ListMultipartUploadsCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { readProbe, writeProbe } from "../../../src/store/open.ts";
import { type Keys, type S3, startS3 } from "../../support/s3.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const AGENT = ["s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"];
const FOREVER = new AbortController().signal;

describe("probes of an S3 store", { skip: needs("cluster") }, () => {
  let s3: S3;
  let dir: TempDir;
  before(async () => {
    s3 = await startS3();
    dir = tempDir();
  });
  after(async () => {
    await s3?.[Symbol.asyncDispose]();
    dir?.[Symbol.dispose]();
  });

  /** As a mounted Secret. */
  function settings(
    { accessKey, secretKey }: Keys,
    store = `s3://${s3.bucket}/prod`,
    names = ["access-key", "secret-key"],
  ) {
    const keys = join(dir.path, `${accessKey}-${names[0]}`);
    mkdirSync(keys, { recursive: true });
    for (const [at, name] of names.entries()) writeFileSync(join(keys, name), at === 0 ? accessKey : secretKey);
    return { store, s3Endpoint: s3.endpoint, s3Region: s3.region, s3CredentialsDir: keys };
  }

  test("let in who has an agent's, or a reader's, rights, and leave nothing", async () => {
    await writeProbe(settings(await s3.user("agent", ...AGENT)))(FOREVER);
    await readProbe(settings(await s3.user("reader", "s3:GetObject")))(FOREVER);
    const Bucket = s3.bucket;
    assert.equal((await s3.client().send(new ListMultipartUploadsCommand({ Bucket }))).Uploads?.length ?? 0, 0);
    assert.equal((await s3.client().send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
  });

  test("name a wrong bucket, wrong keys, a Secret with other names, missing rights, a store that is away", async () => {
    const agent = await s3.user("second", ...AGENT);
    const wrong = { accessKey: "second", secretKey: "wrong" };
    const noBucket = settings(agent, "s3://nowhere");
    for (const probe of [writeProbe, readProbe]) {
      await assert.rejects(probe(noBucket)(FOREVER), {
        code: "STORE_MISSING",
        message: /in s3:\/\/nowhere: no such bucket/,
      });
      await assert.rejects(probe(settings(wrong))(FOREVER), { code: "STORE_DENIED", message: /wrong credentials/ });
      const others = settings(agent, undefined, ["accesskey", "secretkey"]);
      await assert.rejects(probe(others)(FOREVER), {
        code: "STORE_DENIED",
        message: /Cannot read the store's keys in/,
      });
      await assert.rejects(probe({ ...settings(agent), s3Endpoint: "http://127.0.0.1:9" })(FOREVER), {
        code: "STORE_UNAVAILABLE",
      });
    }
    await assert.rejects(writeProbe(settings(await s3.user("third", "s3:PutObject")))(FOREVER), {
      code: "STORE_DENIED",
    });
  });
});
