/** An S3 bucket as the download needs it: read. */
import type { Readable } from "node:stream";
import { DumpError, type FailureCode } from "../../domain/failures.ts";
import { isPlain, type S3Settings } from "../ports/location.ts";
import type { DumpSource, Stored } from "../ports/source.ts";
import { S3Connection, type S3Location, type S3Patience, type Send } from "./client.ts";

/** The client waits through an API server that gives up after a minute. */
const PATIENCE: S3Patience = { stallMs: 20_000 };

/** An S3 bucket, read. The right to get objects suffices; without the one to list, what is missing looks like denied. */
export class S3Source implements DumpSource {
  readonly volume: string;
  readonly #s3: S3Connection;

  constructor(location: S3Location, settings: S3Settings, patience = PATIENCE) {
    this.#s3 = new S3Connection(location, settings, "read", patience);
    this.volume = this.#s3.volume;
  }

  head(key: string, signal: AbortSignal): Promise<Stored> {
    return this.#ask(key, signal, async (send) => {
      const { ContentLength, ETag } = await send((sdk) => new sdk.HeadObjectCommand(this.#s3.at(key)));
      if (ContentLength === undefined || !ETag)
        throw this.#corrupt(key, "the service does not say its length and ETag");
      return { key, sizeBytes: ContentLength, version: ETag };
    });
  }

  read({ key, version }: Stored, fromBytes: number, lengthBytes: number, signal: AbortSignal): Promise<Buffer> {
    if (lengthBytes === 0) return Promise.resolve(Buffer.alloc(0)); // no header can ask for that
    return this.#ask(key, signal, async (send) => {
      const Range = `bytes=${fromBytes}-${fromBytes + lengthBytes - 1}`;
      const asked = { ...this.#s3.at(key), Range, IfMatch: version };
      const { Body } = await send((sdk) => new sdk.GetObjectCommand(asked));
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

  async #ask<T>(key: string, signal: AbortSignal, work: (send: Send) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (!isPlain(key)) throw this.#failure("NOT_FOUND", key, "nothing is there");
    return await this.#s3.ask(`read ${key} in`, signal, work, (error) => this.#meaning(key, error));
  }

  #meaning(key: string, error: unknown): DumpError | undefined {
    const name = (error as Error).name;
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (name === "NoSuchKey" || name === "NotFound") return this.#failure("NOT_FOUND", key, "nothing is there", error);
    if (status === 412) return this.#corrupt(key, "it was replaced meanwhile");
    return status === 416 ? this.#corrupt(key, "it has no such bytes") : undefined;
  }

  #corrupt(key: string, why: string): DumpError {
    return this.#failure("STORE_CORRUPT", key, why);
  }

  #failure(code: FailureCode, key: string, why: string, cause?: unknown): DumpError {
    const hint = "try again; if it stays so, another program writes to the store, or it is damaged";
    const more = code === "STORE_CORRUPT" ? { cause, hint } : { cause };
    return new DumpError(code, `Cannot read ${JSON.stringify(key)} in ${this.volume}: ${why}`, more);
  }
}
