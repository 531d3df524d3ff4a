/** A store in memory, as the collector needs it: what a MemorySink holds, and notes. */
import type { BundleStore, ListedFile, Unfinished } from "../../src/store/ports/bundle-store.ts";
import type { MemorySink } from "./memory-sink.ts";

export class MemoryStore implements BundleStore {
  readonly volume = "memory";
  readonly notes = new Map<string, string>();
  readonly #sink: MemorySink;
  readonly #begun = new Map<string, Date>();

  constructor(sink: MemorySink) {
    this.#sink = sink;
  }

  async *list(folder: string, signal: AbortSignal): AsyncGenerator<ListedFile> {
    signal.throwIfAborted();
    for (const [key, { length }] of this.#sink.bundles)
      if (key.startsWith(folder)) yield { key, sizeBytes: length, modified: this.#since(key) };
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#sink.bundles.delete(key);
  }

  async *unfinished(signal: AbortSignal): AsyncGenerator<Unfinished> {
    signal.throwIfAborted();
    for (const [key, { fingerprint }] of this.#sink.parts) yield { key, begun: this.#since(key), id: fingerprint };
  }

  async abort({ key, id }: Unfinished, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#sink.parts.get(key)?.fingerprint === id) this.#sink.parts.delete(key);
  }

  async readNote(name: string, signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    return this.notes.get(name);
  }

  async writeNote(name: string, text: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.notes.set(name, text);
  }

  /** When we saw it first. */
  #since(key: string): Date {
    const begun = this.#begun.get(key) ?? new Date();
    this.#begun.set(key, begun);
    return begun;
  }
}
