/** A bundle on its way in parts, a few at once; what has arrived is noted, so that another process can go on. */
import type { UnwantedUpload, Upload } from "../ports/sink.ts";
import type { S3Bucket, SentPart } from "./bucket.ts";
import type { UploadPart } from "./parts.ts";

/** Parts under way at once: hides the service's answer time. */
const AT_ONCE = 2;

/** What is noted: enough to go on, and to complete without asking what was sent. */
interface UploadNote {
  /** Volume and key. */
  readonly at: string;
  readonly fingerprint: string;
  readonly uploadId: string;
  readonly partBytes: number;
  readonly wholeChecksum: boolean;
  readonly parts: readonly ArrivedPart[];
  /** All parts have been sent: there are no more. */
  readonly isWhole: boolean;
}

interface ArrivedPart extends SentPart {
  readonly crcSoFar: number;
}

export class Multipart {
  readonly #bucket: S3Bucket;
  readonly #upload: Upload;
  readonly #note: UploadNote;
  /** Without a gap, from the first on. */
  readonly #arrived: ArrivedPart[];
  readonly #underWay: { readonly part: UploadPart; readonly etag: Promise<string> }[] = [];
  readonly #stop = new AbortController();
  #notedParts: number;

  private constructor(bucket: S3Bucket, upload: Upload, note: UploadNote) {
    this.#bucket = bucket;
    this.#upload = upload;
    this.#note = note;
    this.#arrived = [...note.parts];
    this.#notedParts = note.parts.length;
  }

  get partBytes(): number {
    return this.#note.partBytes;
  }
  /** Of what has arrived. */
  get sizeBytes(): number {
    return this.#arrived.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }
  get crc(): number {
    return this.#arrived.at(-1)?.crcSoFar ?? 0;
  }

  static async begin(bucket: S3Bucket, upload: Upload, partBytes: number, signal: AbortSignal): Promise<Multipart> {
    const { key, fingerprint, metadata } = upload;
    const created = await bucket.create(key, metadata, signal);
    const note = { at: placeOf(bucket, key), fingerprint, partBytes, ...created, parts: [], isWhole: false };
    const multipart = new Multipart(bucket, upload, note);
    multipart.#save(false); // at once, or it could never be discarded
    return multipart;
  }

  /** The one that an earlier attempt left, and what the service has of it; undefined when there is none to go on with. */
  static async resume(bucket: S3Bucket, upload: Upload, signal: AbortSignal): Promise<Multipart | undefined> {
    const note = noteOf(bucket, upload);
    if (!note) return undefined;
    if (note.fingerprint !== upload.fingerprint) {
      await bucket.abort(upload.key, note.uploadId, signal).catch(() => signal.throwIfAborted()); // the collector will
      return undefined;
    }
    const listed = await bucket.listParts(upload.key, note.uploadId, signal);
    if (!listed) return note.isWhole ? new Multipart(bucket, upload, note) : undefined; // perhaps completed: its answer was lost
    const missing = note.parts.findIndex((part, at) => !isSame(part, listed[at]));
    const parts = missing < 0 ? note.parts : note.parts.slice(0, missing);
    return new Multipart(bucket, upload, { ...note, parts, isWhole: note.isWhole && missing < 0 });
  }

  static async discard(bucket: S3Bucket, upload: UnwantedUpload, signal: AbortSignal): Promise<void> {
    const note = noteOf(bucket, upload);
    if (note) await bucket.abort(upload.key, note.uploadId, signal);
    upload.note(undefined);
  }

  get isWhole(): boolean {
    return this.#note.isWhole;
  }

  /** Begins to send the next part; waits while too many are under way. @param done  may have the part's buffer back */
  async send(part: UploadPart, signal: AbortSignal, done: (part: UploadPart) => void): Promise<void> {
    const { key } = this.#upload;
    const number = this.#arrived.length + this.#underWay.length + 1;
    const either = AbortSignal.any([signal, this.#stop.signal]);
    const etag = this.#bucket.sendPart(key, this.#note.uploadId, number, part, either).then((etag) => {
      done(part);
      return etag;
    });
    etag.catch(() => undefined); // thrown when its turn comes
    this.#underWay.push({ part, etag });
    if (this.#underWay.length >= AT_ONCE) await this.#arrival();
  }

  /** Waits for all that is under way. */
  async settle(): Promise<void> {
    while (this.#underWay.length > 0) await this.#arrival();
  }

  async #arrival(): Promise<void> {
    const next = this.#underWay[0];
    if (!next) return;
    const { body, crc, crcSoFar } = next.part;
    try {
      this.#arrived.push({ etag: await next.etag, crc, crcSoFar, sizeBytes: body.length });
      this.#underWay.shift();
    } catch (error) {
      this.#stop.abort(error);
      await Promise.allSettled(this.#underWay.splice(0).map(({ etag }) => etag));
      throw error;
    }
    // The more there is to note, the more rarely: never more than a small share of what was sent is sent again.
    if (this.#arrived.length > this.#notedParts + (this.#notedParts >> 6)) this.#save(false);
  }

  /** @returns false when the service knows nothing of the upload any more: all is to be sent again */
  async complete(signal: AbortSignal): Promise<boolean> {
    this.#save(true);
    const { uploadId, wholeChecksum } = this.#note;
    const whole = { parts: this.#arrived, sizeBytes: this.sizeBytes, crc: this.crc, wholeChecksum };
    return await this.#bucket.complete(this.#upload.key, uploadId, whole, signal);
  }

  #save(isWhole: boolean): void {
    this.#notedParts = this.#arrived.length;
    this.#upload.note({ ...this.#note, parts: this.#arrived, isWhole } satisfies UploadNote);
  }
}

const placeOf = (bucket: S3Bucket, key: string): string => `${bucket.volume}/${key}`;

/** The note, when it is one, and of this key in this store. */
function noteOf(bucket: S3Bucket, { key, noted }: Pick<Upload, "key" | "noted">): UploadNote | undefined {
  const note = (typeof noted === "object" ? noted : undefined) as Partial<UploadNote> | undefined;
  return note?.at === placeOf(bucket, key) && typeof note.uploadId === "string" && Array.isArray(note.parts)
    ? (note as UploadNote)
    : undefined;
}

/** A service that tells no checksums has been asked for each when the part was sent. */
const isSame = (noted: SentPart, listed: SentPart | undefined): boolean =>
  listed?.etag === noted.etag &&
  listed.sizeBytes === noted.sizeBytes &&
  (listed.crc === noted.crc || Number.isNaN(listed.crc));
