/**
 * A directory as the store: any mounted volume (NFS, Ceph, a PersistentVolume).
 *
 * Nothing here waits on this thread, because a network file system may not answer.
 */
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { DumpBundle } from "../../domain/dump.ts";
import { DumpError, errnoOf } from "../../domain/failures.ts";
import { checksumText, fileFailure } from "../ports/failures.ts";
import type { DumpSink, Upload } from "../ports/sink.ts";
import { folderOf } from "./folder.ts";

/** As the folders' (folder.ts). */
const FILE_MODE = 0o640;

/** After so many bytes the sink notes how far it has come. */
const NOTE_BYTES = 16 << 20;
const READ_BYTES = 1 << 20;

const PART = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** How far an attempt came: so many bytes are in the temporary file, and this is their CRC-32. */
interface AttemptNote {
  readonly at: string;
  readonly fingerprint: string;
  readonly sizeBytes: number;
  readonly crc: number;
}

export class DirectorySink implements DumpSink {
  readonly volume: string;

  constructor(directory: string) {
    this.volume = directory;
  }

  async put(upload: Upload, signal: AbortSignal): Promise<DumpBundle> {
    try {
      signal.throwIfAborted();
      await using folder = await folderOf(this.volume, upload.key, "make");
      const { part, file } = folder.names;
      await using handle = await open(part, PART, FILE_MODE);
      const sent = await this.#write(handle, upload, signal);
      await handle.sync();
      const stored = await summed(handle, sent.sizeBytes + 1);
      if (stored.sizeBytes !== sent.sizeBytes || stored.crc !== sent.crc) throw notWhatWasSent(upload.key, this.volume);
      await rename(part, file);
      await folder.directory.sync();
      return { volume: this.volume, key: upload.key, sizeBytes: sent.sizeBytes, checksum: checksumText(sent.crc) };
    } catch (error) {
      throw fileFailure(error, `put ${upload.key} into ${this.volume}`);
    }
  }

  async discard({ key, note }: Pick<Upload, "key" | "note">): Promise<void> {
    try {
      await using folder = await folderOf(this.volume, key, "look");
      await rm(folder.names.part, { force: true });
      note(undefined);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw fileFailure(error, `discard ${key} in ${this.volume}`);
    }
  }

  /** What is not there yet is written after what is. */
  async #write(handle: FileHandle, upload: Upload, signal: AbortSignal): Promise<{ sizeBytes: number; crc: number }> {
    const { key, fingerprint } = upload;
    let { sizeBytes, crc } = await this.#left(handle, upload);
    await handle.truncate(sizeBytes);
    let noted = sizeBytes;
    for await (const chunk of upload.bytes(sizeBytes, signal)) {
      await writeAll(handle, chunk, sizeBytes);
      sizeBytes += chunk.length;
      crc = crc32(chunk, crc);
      if (sizeBytes - noted < NOTE_BYTES) continue;
      noted = sizeBytes;
      upload.note({ at: `${this.volume}/${key}`, fingerprint, sizeBytes, crc } satisfies AttemptNote);
    }
    return { sizeBytes, crc };
  }

  /** What an earlier attempt wrote and a power cut has left as it was; from the beginning in any doubt. */
  async #left(handle: FileHandle, { key, fingerprint, noted }: Upload): Promise<{ sizeBytes: number; crc: number }> {
    const { at, fingerprint: of, sizeBytes, crc } = (noted ?? {}) as Partial<AttemptNote>;
    if (at === `${this.volume}/${key}` && of === fingerprint && typeof sizeBytes === "number") {
      const found = await summed(handle, sizeBytes);
      if (found.sizeBytes === sizeBytes && found.crc === crc) return found;
    }
    return { sizeBytes: 0, crc: 0 };
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += (await handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
}

/** Length and CRC-32 of what the file really holds, up to `limitBytes`. */
async function summed(handle: FileHandle, limitBytes: number): Promise<{ sizeBytes: number; crc: number }> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let [sizeBytes, crc] = [0, 0];
  while (sizeBytes < limitBytes) {
    const length = Math.min(READ_BYTES, limitBytes - sizeBytes);
    const { bytesRead } = await handle.read(buffer, 0, length, sizeBytes);
    if (bytesRead === 0) break;
    crc = crc32(buffer.subarray(0, bytesRead), crc);
    sizeBytes += bytesRead;
  }
  return { sizeBytes, crc };
}

const notWhatWasSent = (key: string, volume: string): DumpError =>
  new DumpError("STORE_CORRUPT", `Cannot put ${key} into ${volume}: what is there is not what was written`, {
    hint: "look at the volume and its file server",
  });
