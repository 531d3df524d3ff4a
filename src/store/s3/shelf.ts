import { DumpError } from "../../domain/failures.ts";
import { type Location, type S3Settings, volumeOf } from "../ports/location.ts";
import type { Lying, Shelf, Unfinished } from "../ports/shelf.ts";
import { type S3, type S3Patience, STALL_MS, s3 } from "./client.ts";
import { s3Failure } from "./failures.ts";

/** An S3 bucket, looked after. Needs the rights to list the bucket and its uploads, and to get, put, delete and abort below the prefix. */
export class S3Shelf implements Shelf {
  readonly volume: string;
  readonly #location: Location & { kind: "s3" };
  /** With the slash behind it; "" where there is none. */
  readonly #prefix: string;
  readonly #settings: S3Settings;
  readonly #patience: S3Patience;
  #loaded: Promise<S3> | undefined;

  constructor(location: Location & { kind: "s3" }, settings: S3Settings, patience: S3Patience = { stallMs: STALL_MS }) {
    this.volume = volumeOf(location);
    this.#location = location;
    this.#prefix = location.prefix === "" ? "" : `${location.prefix}/`;
    this.#settings = settings;
    this.#patience = patience;
  }

  async *list(folder: string, signal: AbortSignal): AsyncGenerator<Lying> {
    for (let token: string | undefined, last = false; !last; ) {
      const page = await this.#ask(`list ${folder || "all"} in`, signal, ({ sdk, client }, options) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: this.#location.bucket,
            Prefix: this.#prefix + folder,
            ...(token !== undefined && { ContinuationToken: token }),
          }),
          options,
        ),
      );
      for (const { Key = "", Size = 0, LastModified = new Date() } of page.Contents ?? [])
        yield { key: Key.slice(this.#prefix.length), sizeBytes: Size, modified: LastModified };
      token = page.NextContinuationToken;
      last = !page.IsTruncated || token === undefined;
    }
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    await this.#ask(`remove ${key} from`, signal, ({ sdk, client }, options) =>
      client.send(new sdk.DeleteObjectCommand(this.#at(key)), options),
    );
  }

  async *unfinished(signal: AbortSignal): AsyncGenerator<Unfinished> {
    for (let key: string | undefined, id: string | undefined, last = false; !last; ) {
      const page = await this.#ask("list the uploads of", signal, ({ sdk, client }, options) =>
        client.send(
          new sdk.ListMultipartUploadsCommand({
            Bucket: this.#location.bucket,
            Prefix: this.#prefix,
            ...(key && { KeyMarker: key }),
            ...(id && { UploadIdMarker: id }),
          }),
          options,
        ),
      );
      for (const { Key = "", UploadId = "", Initiated = new Date() } of page.Uploads ?? [])
        yield { key: Key.slice(this.#prefix.length), begun: Initiated, id: UploadId };
      [key, id] = [page.NextKeyMarker, page.NextUploadIdMarker];
      last = !page.IsTruncated || !key;
    }
  }

  async abort({ key, id }: Unfinished, signal: AbortSignal): Promise<void> {
    await this.#ask(`discard an upload of ${key} in`, signal, ({ sdk, client }, options) =>
      client.send(new sdk.AbortMultipartUploadCommand({ ...this.#at(key), UploadId: id }), options),
    ).catch(unless("NoSuchUpload"));
  }

  async readNote(name: string, signal: AbortSignal): Promise<string | undefined> {
    return await this.#ask(`read ${name} in`, signal, async ({ sdk, client }, options) => {
      const { Body } = await client.send(new sdk.GetObjectCommand(this.#at(name)), options);
      return await Body?.transformToString();
    }).catch(unless("NoSuchKey"));
  }

  async writeNote(name: string, text: string, signal: AbortSignal): Promise<void> {
    const { s3Sse, s3KmsKey } = this.#settings;
    const how = {
      ContentType: "application/json",
      ...(s3Sse !== undefined && { ServerSideEncryption: s3Sse }),
      ...(s3KmsKey !== undefined && { SSEKMSKeyId: s3KmsKey }),
    };
    await this.#ask(`write ${name} into`, signal, ({ sdk, client }, options) =>
      client.send(new sdk.PutObjectCommand({ ...this.#at(name), ...how, Body: Buffer.from(text) }), options),
    );
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#location.bucket, Key: this.#prefix + key };
  }

  async #ask<T>(
    act: string,
    signal: AbortSignal,
    ask: (s3: S3, options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    try {
      this.#loaded ??= s3(this.#settings, this.#patience);
      return await ask(await this.#loaded, { abortSignal: signal });
    } catch (error) {
      signal.throwIfAborted();
      throw s3Failure(error, `${act} ${this.volume}`, "collect");
    }
  }
}

const unless = (name: string) => (error: unknown) => {
  if (!(error instanceof DumpError) || (error.cause as Error | undefined)?.name !== name) throw error;
  return undefined;
};
