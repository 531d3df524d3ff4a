/**
 * An S3 bucket as the store (Amazon, MinIO, Ceph, IBM and others). The rights to put, and to list, complete and abort the
 * parts of an upload suffice. An object that is there already is put again: it holds the same bytes, and only what the
 * service answers to a put is proof for one who may not read.
 */
import type { DumpBundle } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { checksumText } from "../ports/failures.ts";
import type { S3Settings } from "../ports/location.ts";
import type { DumpSink, UnwantedUpload, Upload } from "../ports/sink.ts";
import { S3Bucket } from "./bucket.ts";
import type { S3Location, S3Patience } from "./client.ts";
import { Multipart } from "./multipart.ts";
import { PartSplitter, type UploadPart } from "./parts.ts";

const MIB = 1 << 20;
/** Three of them are in memory: the service's least. */
const PART_BYTES = 5 * MIB;
/** The service's most is 10,000. */
const MAX_PARTS = 9000;

/** A bundle of more than 44 GiB has larger parts. */
const partBytesFor = (maxBytes: number): number => Math.max(PART_BYTES, Math.ceil(maxBytes / MAX_PARTS / MIB) * MIB);

export class S3Sink implements DumpSink {
  readonly volume: string;
  readonly #bucket: S3Bucket;

  constructor(location: S3Location, settings: S3Settings, patience?: S3Patience) {
    this.#bucket = new S3Bucket(location, settings, patience);
    this.volume = this.#bucket.volume;
  }

  async put(upload: Upload, signal: AbortSignal): Promise<DumpBundle> {
    signal.throwIfAborted();
    const begun = await Multipart.resume(this.#bucket, upload, signal);
    const bundle = begun?.isWhole
      ? await this.#completed(upload, begun, signal)
      : await this.#sent(upload, begun, signal);
    return bundle ?? (await this.#fromScratch(upload, signal));
  }

  discard(upload: UnwantedUpload, signal: AbortSignal): Promise<void> {
    return Multipart.discard(this.#bucket, upload, signal);
  }

  async #fromScratch(upload: Upload, signal: AbortSignal): Promise<DumpBundle> {
    upload.note(undefined);
    const bundle = await this.#sent(upload, undefined, signal);
    if (bundle) return bundle;
    const hint = "something aborts unfinished uploads at once: look at the bucket's life-cycle rules";
    const why = `Cannot put ${upload.key} into ${this.volume}: the store forgot the upload`;
    throw new DumpError("STORE_UNAVAILABLE", why, { hint });
  }

  /** Sends what has not arrived yet. @returns undefined when the service does not know the upload any more */
  async #sent(upload: Upload, begun: Multipart | undefined, signal: AbortSignal): Promise<DumpBundle | undefined> {
    const partBytes = begun?.partBytes ?? partBytesFor(upload.maxBytes);
    const parts = new PartSplitter(partBytes, begun?.crc ?? 0);
    const giveBack = (part: UploadPart) => parts.giveBack(part);
    let multipart = begun;
    try {
      for await (const part of parts.of(upload.bytes(begun?.sizeBytes ?? 0, signal))) {
        if (part.last && !multipart) return await this.#putWhole(upload, part, signal);
        multipart ??= await Multipart.begin(this.#bucket, upload, partBytes, signal);
        if (part.body.length > 0) await multipart.send(part, signal, giveBack);
      }
      await multipart?.settle();
    } catch (error) {
      await multipart?.settle().catch(() => undefined); // what is under way may still arrive, and be noted
      throw error;
    }
    return multipart && (await this.#completed(upload, multipart, signal));
  }

  async #putWhole(upload: Upload, part: UploadPart, signal: AbortSignal): Promise<DumpBundle> {
    await this.#bucket.put(upload.key, part, upload.metadata, signal);
    return this.#bundle(upload, part.body.length, part.crc);
  }

  async #completed(upload: Upload, multipart: Multipart, signal: AbortSignal): Promise<DumpBundle | undefined> {
    const { sizeBytes, crc } = multipart;
    try {
      return (await multipart.complete(signal)) ? this.#bundle(upload, sizeBytes, crc) : undefined;
    } catch (error) {
      // Its parts are of no use: with them, every attempt would end here.
      if (error instanceof DumpError && (error.code === "STORE_CORRUPT" || error.code === "STORE_REFUSED"))
        await this.discard(upload, signal).catch(() => undefined);
      throw error;
    }
  }

  #bundle({ key }: Upload, sizeBytes: number, crc: number): DumpBundle {
    return { volume: this.volume, key, sizeBytes, checksum: checksumText(crc) };
  }
}
