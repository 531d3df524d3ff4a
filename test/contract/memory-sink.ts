/** A store in memory: the contract and nothing else. */
import { crc32 } from "node:zlib";
import type { DumpBundle } from "../../src/domain/dump.ts";
import type { DumpError } from "../../src/domain/failures.ts";
import { checksumText } from "../../src/store/ports/failures.ts";
import type { DumpSink, Upload } from "../../src/store/ports/sink.ts";

export class MemorySink implements DumpSink {
  readonly volume = "memory";
  readonly bundles = new Map<string, Buffer>();
  /** By key: the bytes of an attempt that came to no end, and of which bundle they are. */
  readonly parts = new Map<string, { fingerprint: string; bytes: Buffer }>();
  /** Thrown by every put as long as it is set: a store that is away. */
  failure: DumpError | undefined;

  async put(upload: Upload, signal: AbortSignal): Promise<DumpBundle> {
    signal.throwIfAborted();
    const { key, fingerprint } = upload;
    const left = this.parts.get(key);
    let bytes = left?.fingerprint === fingerprint ? left.bytes : Buffer.alloc(0);
    const chunks = [bytes];
    try {
      for await (const chunk of upload.bytes(bytes.length, signal)) {
        if (this.failure) throw this.failure;
        chunks.push(chunk);
      }
    } catch (error) {
      this.parts.set(key, { fingerprint, bytes: Buffer.concat(chunks) });
      throw error;
    }
    bytes = Buffer.concat(chunks);
    this.bundles.set(key, bytes);
    this.parts.delete(key);
    return { volume: this.volume, key, sizeBytes: bytes.length, checksum: checksumText(crc32(bytes)) };
  }

  async discard({ key, note }: Pick<Upload, "key" | "note">): Promise<void> {
    this.parts.delete(key);
    note(undefined);
  }
}
