/** The SDK's client as every role uses it. Loaded with the first request: it is the largest package of all. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Agent } from "node:https";
import { join } from "node:path";
import type {
  $Command,
  S3Client,
  S3ClientConfig,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from "@aws-sdk/client-s3";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { type Location, type S3Settings, volumeOf } from "../ports/location.ts";
import { type S3Act, s3Failure } from "./failures.ts";

type Sdk = typeof import("@aws-sdk/client-s3");
export type Send = <I extends ServiceInputTypes, O extends ServiceOutputTypes>(
  command: (sdk: Sdk) => $Command<I, O, S3ClientResolvedConfig>,
) => Promise<O>;
export type S3Location = Location & { kind: "s3" };

const CONNECT_MS = 10_000;
/**
 * A connection on which nothing moves for so long is given up; a slow one that moves is not. What the kernel has taken
 * has moved, as far as we can see: a part must get through in this time, once it is buffered.
 */
const STALL_MS = 120_000;

/** Times of a store, which tests shorten. */
export interface S3Patience {
  readonly stallMs: number;
}

/** A bucket below a prefix, and the one way to ask it. */
export class S3Connection {
  readonly volume: string;
  readonly settings: S3Settings;
  readonly #location: S3Location;
  readonly #act: S3Act;
  readonly #patience: S3Patience;
  #loaded: Promise<{ readonly sdk: Sdk; readonly client: S3Client }> | undefined;

  /** @param act  what is asked of it, for the hints of failures */
  constructor(location: S3Location, settings: S3Settings, act: S3Act, patience: S3Patience = { stallMs: STALL_MS }) {
    this.volume = volumeOf(location);
    this.settings = settings;
    this.#location = location;
    this.#act = act;
    this.#patience = patience;
  }

  /** With the slash after it; "" where there is none. */
  get prefix(): string {
    return this.#location.prefix === "" ? "" : `${this.#location.prefix}/`;
  }

  get bucket(): string {
    return this.#location.bucket;
  }

  at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.prefix + key };
  }

  /** What the settings say of objects that are put. */
  get encryption() {
    const { s3Sse, s3KmsKey } = this.settings;
    return {
      ...(s3Sse !== undefined && { ServerSideEncryption: s3Sse }),
      ...(s3KmsKey !== undefined && { SSEKMSKeyId: s3KmsKey }),
    };
  }

  /** One request, its answer's head. @param act  `put KEY in`; as ask() */
  send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    act: string,
    signal: AbortSignal,
    command: (sdk: Sdk) => $Command<I, O, S3ClientResolvedConfig>,
  ): Promise<O> {
    return this.ask(act, signal, (send) => send(command));
  }

  /** Ends an upload, unless it has ended. */
  async abort(act: string, key: string, uploadId: string, signal: AbortSignal): Promise<void> {
    const asked = { ...this.at(key), UploadId: uploadId };
    await this.send(act, signal, (sdk) => new sdk.AbortMultipartUploadCommand(asked)).catch(unlessGone);
  }

  /**
   * @param meaning  what a failure means to the caller; undefined: what it means to any
   * @throws DumpError STORE_…, SETTINGS_INVALID; the signal's reason
   */
  async ask<T>(
    act: string,
    signal: AbortSignal,
    work: (send: Send) => Promise<T>,
    meaning: (error: unknown) => DumpError | undefined = () => undefined,
  ): Promise<T> {
    signal.throwIfAborted();
    try {
      this.#loaded ??= clientOf(this.settings, this.#patience);
      const { sdk, client } = await this.#loaded;
      return await work((command) => client.send(command(sdk), { abortSignal: signal }));
    } catch (error) {
      signal.throwIfAborted();
      throw meaning(error) ?? s3Failure(error, `${act} ${this.volume}`, this.#act);
    }
  }
}

/** What an object that is not there (any more) is answered with, as nothing. */
export const unlessNamed = (name: string) => (error: unknown) => {
  if (!(error instanceof DumpError) || (error.cause as Error | undefined)?.name !== name) throw error;
  return undefined;
};

/** Likewise of an upload. */
export const unlessGone = unlessNamed("NoSuchUpload");

/** @throws DumpError SETTINGS_INVALID when the authority's file cannot be read */
async function clientOf(settings: S3Settings, { stallMs }: S3Patience) {
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
