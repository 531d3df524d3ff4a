/**
 * `upload.json` in a dump's directory: how far an upload has come. Only speed depends on it: without it, or when it makes
 * no sense, everything is sent again.
 */
import { ifPossible } from "../../domain/failures.ts";
import { replaceSync } from "../../system/durable.ts";
import { readSmall } from "../../system/small-file.ts";

interface Saved {
  readonly version: 1;
  readonly fingerprint: string;
  /** Lengths of the bundle's frames from the first on: what lies before a place need not be compressed to find it. */
  readonly frames: readonly number[];
  /** The sink's own. */
  readonly noted: unknown;
}

export class UploadProgress {
  readonly packedBytes: number[];
  noted: unknown;
  readonly #path: string;
  readonly #fingerprint: string;

  private constructor(path: string, fingerprint: string, packedBytes: readonly number[], noted: unknown) {
    this.#path = path;
    this.#fingerprint = fingerprint;
    this.packedBytes = [...packedBytes];
    this.noted = noted;
  }

  static load(path: string, fingerprint: string): UploadProgress {
    const saved = read(path);
    const frames = saved?.fingerprint === fingerprint ? saved.frames : [];
    return new UploadProgress(path, fingerprint, frames, saved?.noted);
  }

  /** Under its name at once; not waited for on the disk. */
  save(noted: unknown): void {
    this.noted = noted;
    const saved: Saved = { version: 1, fingerprint: this.#fingerprint, frames: this.packedBytes, noted };
    ifPossible(() => replaceSync(this.#path, Buffer.from(JSON.stringify(saved)))); // the cache's disk may be full
  }
}

/** Some eight bytes a frame, of which a bundle has at most 2^20. */
const MOST_BYTES = 16 << 20;

/** Undefined where there is none yet, or half of one after a power cut. */
function read(path: string): Saved | undefined {
  const saved = ifPossible(() => JSON.parse(readSmall(path, MOST_BYTES).toString("utf8")) as Saved | null);
  const sane = saved?.version === 1 && typeof saved.fingerprint === "string" && Array.isArray(saved.frames);
  return sane && saved.frames.every((bytes) => Number.isSafeInteger(bytes) && bytes > 0) ? saved : undefined;
}
