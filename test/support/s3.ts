/** A real S3 server for a test (versitygw): started by the test bed, stopped with its scope. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from "@aws-sdk/client-s3";
import { TESTBED, TESTBED_COMMAND } from "./paths.ts";

const exec = promisify(execFile);
let started = 0;

export interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** The keys are the owner's, who may do everything. */
export interface S3 extends AsyncDisposable, Keys {
  readonly endpoint: string;
  readonly region: string;
  /** There, and empty. */
  readonly bucket: string;
  /** The server holds its objects as plain files: `data/BUCKET/KEY`. */
  readonly folder: string;
  /** A client of the AWS SDK; default: the owner's. */
  client(keys?: Keys): S3Client;
  /** Another user, who may do in the bucket only what is named: `s3:PutObject`, … Each call replaces the one before. */
  user(name: string, ...actions: readonly string[]): Promise<Keys>;
  /** The server ends in good order; `up` brings it back with all that it held, at the same endpoint. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** Starts one (0.3 s), with a bucket. `testbed reap` stops it if we are killed. */
export async function startS3(bucket = "cores"): Promise<S3> {
  const name = `s3-${process.pid}-${++started}`;
  const testbed = (action: string, ...args: string[]): Promise<unknown> =>
    exec(TESTBED_COMMAND, ["s3", action, name, ...args], { env: { ...process.env, OWNER: `${process.pid}` } });
  await testbed("start");
  const folder = join(TESTBED, "run", name);
  const endpoint = readFileSync(join(folder, "endpoint"), "utf8").trim();
  const region = "us-east-1";
  const owner: Keys = { accessKey: "testbed", secretKey: "testbed-secret" };
  const client = ({ accessKey, secretKey } = owner): S3Client =>
    new S3Client({
      ...{ endpoint, region, forcePathStyle: true },
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    });
  await client().send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    ...{ ...owner, endpoint, region, bucket, folder, client },
    async user(accessKey, ...actions) {
      const keys = { accessKey, secretKey: `${accessKey}-secret` };
      await testbed("user", keys.accessKey, keys.secretKey);
      await client().send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: policy(bucket, accessKey, actions) }));
      return keys;
    },
    down: async () => void (await testbed("down")),
    up: async () => void (await testbed("up")),
    [Symbol.asyncDispose]: async () => void (await testbed("stop")),
  };
}

function policy(bucket: string, user: string, actions: readonly string[]): string {
  const bucketArn = `arn:aws:s3:::${bucket}`;
  const ofBucket = (action: string): boolean => action.includes("Bucket"); // and not of the objects in it
  const Statement = [
    { Action: actions.filter(ofBucket), Resource: bucketArn },
    { Action: actions.filter((action) => !ofBucket(action)), Resource: `${bucketArn}/*` },
  ]
    .filter(({ Action }) => Action.length > 0)
    .map((statement) => ({ Effect: "Allow", Principal: { AWS: [user] }, ...statement }));
  return JSON.stringify({ Version: "2012-10-17", Statement });
}
