/** An S3 sink on a real server, and what is in its bucket. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import type { S3Settings } from "../../src/store/ports/location.ts";
import { S3Sink } from "../../src/store/s3/sink.ts";
import type { Keys, S3 } from "./s3.ts";
import { tempDir } from "./tmp.ts";

/** As a mounted Secret has them. @returns the directory, which is in `parent` */
export function keysIn(parent: string, { accessKey, secretKey }: Keys): string {
  const dir = join(parent, `keys-${accessKey}`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "access-key"), accessKey);
  writeFileSync(join(dir, "secret-key"), `${secretKey}\n`);
  return dir;
}

export interface S3UnderTest extends AsyncDisposable {
  readonly sink: S3Sink;
  readonly folder: string;
  stored(key: string): Promise<Buffer | undefined>;
  leftovers(): Promise<readonly string[]>;
}

interface How {
  readonly keys?: Keys;
  readonly prefix?: string;
  readonly bucket?: string;
  readonly endpoint?: string;
  readonly stallMs?: number;
  readonly settings?: S3Settings;
}

export function s3Sink(s3: S3, how: How = {}): S3UnderTest {
  const { keys = s3, prefix = "", bucket = s3.bucket, endpoint = s3.endpoint, stallMs = 20_000, settings = {} } = how;
  const dir = tempDir();
  const sink = new S3Sink(
    { kind: "s3", bucket, prefix },
    { s3Endpoint: endpoint, s3CredentialsDir: keysIn(dir.path, keys), ...settings },
    { stallMs },
  );
  const owner = s3.client();
  return {
    sink,
    folder: dir.path,
    stored: async (key) => {
      const path = join(s3.folder, "data", s3.bucket, prefix, key);
      return existsSync(path) ? readFileSync(path) : undefined;
    },
    leftovers: async () => {
      const { Uploads } = await owner.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
      return (Uploads ?? []).map(({ Key = "" }) => Key);
    },
    [Symbol.asyncDispose]: async () => {
      owner.destroy();
      dir[Symbol.dispose]();
    },
  };
}
