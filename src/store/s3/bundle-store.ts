/**
 * An S3 bucket as the collector needs it: list, remove, mark. It takes the rights to list the bucket and its uploads, and to
 * get, put, delete and abort below the prefix.
 */
import type { BundleStore, ListedFile, Unfinished } from "../ports/bundle-store.ts";
import type { S3Settings } from "../ports/location.ts";
import { S3Connection, type S3Location, type S3Patience, unlessNamed } from "./client.ts";

export class S3Store implements BundleStore {
  readonly volume: string;
  readonly #s3: S3Connection;

  constructor(location: S3Location, settings: S3Settings, patience?: S3Patience) {
    this.#s3 = new S3Connection(location, settings, "collect", patience);
    this.volume = this.#s3.volume;
  }

  async *list(folder: string, signal: AbortSignal): AsyncGenerator<ListedFile> {
    for (let token: string | undefined, last = false; !last; ) {
      const asked = { ...this.#below(folder), ...(token !== undefined && { ContinuationToken: token }) };
      const act = `list ${folder || "all"} in`;
      const page = await this.#s3.send(act, signal, (sdk) => new sdk.ListObjectsV2Command(asked));
      for (const { Key = "", Size = 0, LastModified = new Date() } of page.Contents ?? [])
        yield { key: Key.slice(this.#s3.prefix.length), sizeBytes: Size, modified: LastModified };
      token = page.NextContinuationToken;
      last = !page.IsTruncated || token === undefined;
    }
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    await this.#s3.send(`remove ${key} from`, signal, (sdk) => new sdk.DeleteObjectCommand(this.#s3.at(key)));
  }

  async *unfinished(signal: AbortSignal): AsyncGenerator<Unfinished> {
    for (let key: string | undefined, id: string | undefined, last = false; !last; ) {
      const asked = { ...this.#below(""), ...(key && { KeyMarker: key }), ...(id && { UploadIdMarker: id }) };
      const act = "list the uploads of";
      const page = await this.#s3.send(act, signal, (sdk) => new sdk.ListMultipartUploadsCommand(asked));
      for (const { Key = "", UploadId = "", Initiated = new Date() } of page.Uploads ?? [])
        yield { key: Key.slice(this.#s3.prefix.length), begun: Initiated, id: UploadId };
      [key, id] = [page.NextKeyMarker, page.NextUploadIdMarker];
      last = !page.IsTruncated || !key;
    }
  }

  async abort({ key, id }: Unfinished, signal: AbortSignal): Promise<void> {
    await this.#s3.abort(`discard an upload of ${key} in`, key, id, signal);
  }

  async readNote(name: string, signal: AbortSignal): Promise<string | undefined> {
    return await this.#s3
      .ask(`read ${name} in`, signal, async (send) => {
        const { Body } = await send((sdk) => new sdk.GetObjectCommand(this.#s3.at(name)));
        return await Body?.transformToString();
      })
      .catch(unlessNamed("NoSuchKey"));
  }

  async writeNote(name: string, text: string, signal: AbortSignal): Promise<void> {
    const content = { ContentType: "application/json", Body: Buffer.from(text) };
    const asked = { ...this.#s3.at(name), ...this.#s3.encryption, ...content };
    await this.#s3.send(`write ${name} into`, signal, (sdk) => new sdk.PutObjectCommand(asked));
  }

  #below(folder: string) {
    return { Bucket: this.#s3.bucket, Prefix: this.#s3.prefix + folder };
  }
}
