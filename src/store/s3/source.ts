import type { Readable } from "node:stream";
import { DumpError, type FailureCode } from "../../domain/failures.ts";
import { isPlain } from "../directory/folder.ts";
import { type Location, type S3Settings, volumeOf } from "../ports/location.ts";
import type { DumpSource, Stored } from "../ports/source.ts";
import { type S3, type S3Patience, s3 } from "./client.ts";
import { s3Failure } from "./failures.ts";

/** Who waits for an answer waits behind an API server that gives up after a minute. */
const PATIENCE: S3Patience = { stallMs: 20_000 };

/** An S3 bucket, read. The right to get objects suffices; without the one to list, what is missing looks like denied. */
export class S3Source implements DumpSource {
  readonly volume: string;
  readonly #location: Location & { kind: "s3" };
  readonly #settings: S3Settings;
  readonly #patience: S3Patience;
  #loaded: Promise<S3> | undefined;

  constructor(location: Location & { kind: "s3" }, settings: S3Settings, patience = PATIENCE) {
    this.volume = volumeOf(location);
    this.#location = location;
    this.#settings = settings;
    this.#patience = patience;
  }

  head(key: string, signal: AbortSignal): Promise<Stored> {
    return this.#ask(key, signal, async ({ sdk, client }, options) => {
      const { ContentLength, ETag } = await client.send(new sdk.HeadObjectCommand(this.#at(key)), options);
      if (ContentLength === undefined || !ETag)
        throw this.#corrupt(key, "the service does not say its length and ETag");
      return { key, sizeBytes: ContentLength, version: ETag };
    });
  }

  read({ key, version }: Stored, fromBytes: number, lengthBytes: number, signal: AbortSignal): Promise<Buffer> {
    if (lengthBytes === 0) return Promise.resolve(Buffer.alloc(0)); // no header can ask for that
    return this.#ask(key, signal, async ({ sdk, client }, options) => {
      const Range = `bytes=${fromBytes}-${fromBytes + lengthBytes - 1}`;
      const { Body } = await client.send(
        new sdk.GetObjectCommand({ ...this.#at(key), Range, IfMatch: version }),
        options,
      );
      const bytes = Buffer.allocUnsafeSlow(lengthBytes);
      let at = 0;
      for await (const chunk of Body as Readable as AsyncIterable<Buffer>) {
        if (at + chunk.length > lengthBytes) throw this.#corrupt(key, "the service sends more than it was asked for");
        at += chunk.copy(bytes, at);
      }
      if (at < lengthBytes) throw this.#corrupt(key, `the service sent ${at} bytes of ${lengthBytes}`);
      return bytes;
    });
  }

  #at(key: string): { Bucket: string; Key: string } {
    const { bucket, prefix } = this.#location;
    return { Bucket: bucket, Key: prefix === "" ? key : `${prefix}/${key}` };
  }

  async #ask<T>(
    key: string,
    signal: AbortSignal,
    ask: (s3: S3, options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    if (!isPlain(key)) throw this.#failure("NOT_FOUND", key, "nothing is there");
    try {
      this.#loaded ??= s3(this.#settings, this.#patience);
      return await ask(await this.#loaded, { abortSignal: signal });
    } catch (error) {
      signal.throwIfAborted();
      throw this.#meaning(key, error);
    }
  }

  #meaning(key: string, error: unknown): unknown {
    const name = (error as Error).name;
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (name === "NoSuchKey" || name === "NotFound") return this.#failure("NOT_FOUND", key, "nothing is there", error);
    if (status === 412) return this.#corrupt(key, "it was replaced meanwhile");
    if (status === 416) return this.#corrupt(key, "it has no such bytes");
    return s3Failure(error, `read ${key} in ${this.volume}`, "read");
  }

  #corrupt(key: string, why: string): DumpError {
    return this.#failure("STORE_CORRUPT", key, why);
  }

  #failure(code: FailureCode, key: string, why: string, cause?: unknown): DumpError {
    const hint =
      code === "STORE_CORRUPT"
        ? { hint: "try again; if it stays so, another program writes to the store, or it is damaged" }
        : {};
    return new DumpError(code, `Cannot read ${JSON.stringify(key)} in ${this.volume}: ${why}`, { cause, ...hint });
  }
}
