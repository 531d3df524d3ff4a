/** The SDK's client as every role uses it. Loaded with the first request: it is the largest package of all. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Agent } from "node:https";
import { join } from "node:path";
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import type { S3Settings } from "../ports/location.ts";

type Sdk = typeof import("@aws-sdk/client-s3");
export interface S3 {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

const CONNECT_MS = 10_000;
/**
 * A connection on which nothing moves for so long is given up; a slow one that moves is not. What the kernel has taken
 * has moved, as far as we can see: a part must get through in this time, once it is buffered.
 */
export const STALL_MS = 120_000;

/** Times of a store, which tests shorten. */
export interface S3Patience {
  readonly stallMs: number;
}

/** @throws DumpError SETTINGS_INVALID when the authority's file cannot be read */
export async function s3(settings: S3Settings, { stallMs }: S3Patience): Promise<S3> {
  const sdk = await import("@aws-sdk/client-s3");
  const { s3Endpoint: endpoint, s3CredentialsDir, s3CaFile } = settings;
  const region = settings.s3Region ?? (endpoint === undefined ? undefined : "us-east-1");
  const config: S3ClientConfig = {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(s3CredentialsDir !== undefined && { credentials: () => keysIn(s3CredentialsDir) }),
    forcePathStyle: settings.s3PathStyle ?? endpoint !== undefined,
    maxAttempts: 1, // retrying is the decorator's business: it knows what was sent already
    requestChecksumCalculation: "WHEN_REQUIRED", // ours are given with each request
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: stallMs,
      ...(s3CaFile !== undefined && { httpsAgent: new Agent({ keepAlive: true, ca: authority(s3CaFile) }) }),
    },
  };
  return { sdk, client: new sdk.S3Client(config) };
}

function authority(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new DumpError("SETTINGS_INVALID", `Cannot read --s3-ca-file=${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** The SDK asks again five minutes before this is over: a Secret that was rotated is noticed soon. */
const KEYS_LAST_MS = 10 * 60_000;

/** A mounted Secret, with the predecessor's names. */
async function keysIn(dir: string) {
  const read = async (name: string) => (await readFile(join(dir, name), "utf8")).trim();
  try {
    const [accessKeyId, secretAccessKey] = await Promise.all([read("access-key"), read("secret-key")]);
    return { accessKeyId, secretAccessKey, expiration: new Date(Date.now() + KEYS_LAST_MS) };
  } catch (cause) {
    throw new DumpError("STORE_DENIED", `Cannot read the store's keys in ${dir}: ${reasonOf(cause)}`, {
      cause,
      hint: "the directory holds two files, access-key and secret-key",
    });
  }
}
