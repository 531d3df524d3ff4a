/**
 * A bucket, as far as write-only rights go: put an object, and send, list, complete, abort a multipart upload. Nothing is
 * ever read back; so each answer is checked: the service says which bytes it received.
 */
import { createHash } from "node:crypto";
import { DumpError } from "../../domain/failures.ts";
import type { S3Settings } from "../ports/location.ts";
import { S3Connection, type S3Location, type S3Patience, unlessGone } from "./client.ts";
import type { UploadPart } from "./parts.ts";

/** A part as the service has it. */
export interface SentPart {
  readonly etag: string;
  readonly crc: number;
  readonly sizeBytes: number;
}

interface WholeObject {
  readonly parts: readonly SentPart[];
  readonly sizeBytes: number;
  readonly crc: number;
  /** Whether the service takes the checksum of the whole object (Amazon does since 2024); else it has the parts' only. */
  readonly wholeChecksum: boolean;
}

type Metadata = Readonly<Record<string, string>>;

export class S3Bucket {
  readonly volume: string;
  readonly #s3: S3Connection;

  constructor(location: S3Location, settings: S3Settings, patience?: S3Patience) {
    this.#s3 = new S3Connection(location, settings, "write", patience);
    this.volume = this.#s3.volume;
  }

  /** An object in one request. @throws DumpError STORE_CORRUPT when the service has other bytes */
  async put(key: string, { body, crc }: UploadPart, metadata: Metadata, signal: AbortSignal): Promise<void> {
    const asked = { ...this.#s3.at(key), ...this.#asked(metadata), Body: body, ChecksumCRC32: base64(crc) };
    const answer = await this.#s3.send(`put ${key} in`, signal, (sdk) => new sdk.PutObjectCommand(asked));
    if (!isReceived(answer, crc, body)) throw this.#damaged(key);
  }

  async create(key: string, metadata: Metadata, signal: AbortSignal) {
    const checksum = { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" } as const;
    const asked = { ...this.#s3.at(key), ...this.#asked(metadata), ...checksum };
    const answer = await this.#s3.send(`begin ${key} in`, signal, (sdk) => new sdk.CreateMultipartUploadCommand(asked));
    return { uploadId: answer.UploadId ?? "", wholeChecksum: answer.ChecksumType === "FULL_OBJECT" };
  }

  /** @returns its ETag @throws DumpError STORE_CORRUPT when the service has other bytes */
  async sendPart(
    key: string,
    uploadId: string,
    number: number,
    { body, crc }: UploadPart,
    signal: AbortSignal,
  ): Promise<string> {
    const sent = { UploadId: uploadId, PartNumber: number, Body: body, ChecksumCRC32: base64(crc) };
    const asked = { ...this.#s3.at(key), ...sent };
    const answer = await this.#s3.send(`send a part of ${key} in`, signal, (sdk) => new sdk.UploadPartCommand(asked));
    if (answer.ETag === undefined || !isReceived(answer, crc, body)) throw this.#damaged(key);
    return answer.ETag;
  }

  /** What the service has of an upload, by number less one; undefined when it knows of none. */
  async listParts(key: string, uploadId: string, signal: AbortSignal): Promise<(SentPart | undefined)[] | undefined> {
    const listed: (SentPart | undefined)[] = [];
    let marker: string | undefined;
    do {
      const asked = { ...this.#s3.at(key), UploadId: uploadId, ...(marker && { PartNumberMarker: marker }) };
      const page = await this.#s3
        .send(`list the parts of ${key} in`, signal, (sdk) => new sdk.ListPartsCommand(asked))
        .catch(unlessGone);
      if (!page) return undefined;
      for (const { PartNumber = 0, ETag = "", Size = -1, ChecksumCRC32 } of page.Parts ?? [])
        listed[PartNumber - 1] = {
          etag: ETag,
          sizeBytes: Size,
          crc: ChecksumCRC32 ? fromBase64(ChecksumCRC32) : Number.NaN,
        };
      marker = page.IsTruncated && page.NextPartNumberMarker !== marker ? page.NextPartNumberMarker : undefined;
    } while (marker);
    return listed;
  }

  /**
   * Makes the parts one object, or finds that they are.
   * @returns false when there is no such upload (any more) @throws DumpError STORE_CORRUPT when the object is another one
   */
  async complete(key: string, uploadId: string, whole: WholeObject, signal: AbortSignal): Promise<boolean> {
    const Parts = whole.parts.map(({ etag, crc }, at) => ({
      PartNumber: at + 1,
      ETag: etag,
      ChecksumCRC32: base64(crc),
    }));
    const checksum = { ChecksumCRC32: base64(whole.crc), ChecksumType: "FULL_OBJECT" } as const;
    const asked = {
      ...{ ...this.#s3.at(key), UploadId: uploadId, MultipartUpload: { Parts }, MpuObjectSize: whole.sizeBytes },
      ...(whole.wholeChecksum && checksum),
    };
    const answer = await this.#s3
      .send(`complete ${key} in`, signal, (sdk) => new sdk.CompleteMultipartUploadCommand(asked))
      .catch(unlessGone);
    if (answer && !isWhole(answer, whole)) throw this.#damaged(key);
    return answer !== undefined;
  }

  async abort(key: string, uploadId: string, signal: AbortSignal): Promise<void> {
    await this.#s3.abort(`discard ${key} in`, key, uploadId, signal);
  }

  #asked(metadata: Metadata) {
    const { s3StorageClass } = this.#s3.settings;
    return {
      ContentType: "application/zstd",
      Metadata: metadata,
      ...this.#s3.encryption,
      // The service knows which classes there are.
      ...(s3StorageClass !== undefined && { StorageClass: s3StorageClass as "STANDARD" }),
    };
  }

  #damaged(key: string): DumpError {
    const hint = "the bytes were damaged on the way, or the service answers neither CRC-32 nor MD5 of what it receives";
    const why = `Cannot put ${key} into ${this.volume}: the store did not answer with its checksum`;
    return new DumpError("STORE_CORRUPT", why, { hint });
  }
}

interface ObjectChecksums {
  readonly ChecksumCRC32?: string | undefined;
  readonly ETag?: string | undefined;
}

/** By the checksum that the service computed; one that knows no CRC-32 says the MD5 in its ETag. */
function isReceived({ ChecksumCRC32, ETag }: ObjectChecksums, crc: number, body: Buffer): boolean {
  if (ChecksumCRC32 !== undefined) return ChecksumCRC32 === base64(crc);
  return unquoted(ETag) === createHash("md5").update(body).digest("hex");
}

/** The checksum of all bytes; where the service says none, its ETag is made of the parts', which were checked. */
function isWhole({ ChecksumCRC32, ETag }: ObjectChecksums, { parts, crc }: WholeObject): boolean {
  if (ChecksumCRC32 !== undefined && !ChecksumCRC32.includes("-")) return ChecksumCRC32 === base64(crc);
  const md5s = Buffer.from(parts.map(({ etag }) => unquoted(etag)).join(""), "hex");
  return unquoted(ETag) === `${createHash("md5").update(md5s).digest("hex")}-${parts.length}`;
}

const unquoted = (etag = ""): string => etag.replaceAll('"', "");

/** As S3 writes checksums: big-endian, base64. */
function base64(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString("base64");
}

function fromBase64(text: string): number {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === 4 ? bytes.readUInt32BE() : Number.NaN;
}
