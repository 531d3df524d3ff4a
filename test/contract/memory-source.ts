/** A store in memory, read: the contract and nothing else. */
import { createHash } from "node:crypto";
import { DumpError } from "../../src/domain/failures.ts";
import type { DumpSource, Stored } from "../../src/store/ports/source.ts";

export class MemorySource implements DumpSource {
  readonly volume = "memory";
  readonly bundles = new Map<string, Buffer>();
  /** Requests so far. */
  reads = 0;
  /** Runs before each request: may throw, wait, look. */
  before: () => void | Promise<void> = () => undefined;

  async head(key: string, signal: AbortSignal): Promise<Stored> {
    const bytes = await this.#get(key, signal);
    return { key, sizeBytes: bytes.length, version: createHash("sha256").update(bytes).digest("hex") };
  }

  async read(stored: Stored, fromBytes: number, lengthBytes: number, signal: AbortSignal): Promise<Buffer> {
    this.reads++;
    const bytes = await this.#get(stored.key, signal);
    const { version } = await this.head(stored.key, signal);
    if (version !== stored.version || fromBytes + lengthBytes > bytes.length)
      throw new DumpError("STORE_CORRUPT", `Cannot read ${stored.key}: it is not what it was`);
    return Buffer.from(bytes.subarray(fromBytes, fromBytes + lengthBytes));
  }

  async #get(key: string, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    await this.before();
    signal.throwIfAborted();
    const bytes = this.bundles.get(key);
    if (!bytes) throw new DumpError("NOT_FOUND", `Cannot read ${key}: nothing is there`);
    return bytes;
  }
}
