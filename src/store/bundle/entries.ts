/** The files in a bundle, found without reading all of it. */
import type { SeekableReader } from "./reader.ts";
import { corrupt } from "./seek-table.ts";
import { paddingBytes, parseTarHeader, type TarEntry } from "./tar.ts";

/** A file in a bundle: where its bytes lie in the tar. */
export interface BundleEntry extends TarEntry {
  readonly fromBytes: number;
}

const HEADER_BYTES = 512;
/** Ours have some thirty. */
const MAX_ENTRIES = 1000;

/**
 * The files in a bundle, in order; the core is the last one. Only headers are looked at.
 * @throws DumpError STORE_CORRUPT
 */
export async function* entriesOf(bundle: SeekableReader, signal?: AbortSignal): AsyncGenerator<BundleEntry> {
  let at = 0;
  for (let count = 0; count < MAX_ENTRIES; count++) {
    const header = parseTarHeader(await bytesOf(bundle, at, HEADER_BYTES, signal));
    if (!header) return;
    const fromBytes = at + HEADER_BYTES;
    at = fromBytes + header.sizeBytes + paddingBytes(header.sizeBytes);
    if (at > bundle.plainBytes) throw corrupt(`its ${header.name} is cut short`);
    yield { ...header, fromBytes };
  }
  throw corrupt("it has more files than a bundle has");
}

/** @throws DumpError STORE_CORRUPT when there is no such file */
export async function entryOf(bundle: SeekableReader, name: string, signal?: AbortSignal): Promise<BundleEntry> {
  for await (const entry of entriesOf(bundle, signal)) if (entry.name === name) return entry;
  throw corrupt(`it has no ${name}`);
}

/** So many bytes of the tar, in one piece. */
export const bytesOf = async (bundle: SeekableReader, from: number, length: number, signal?: AbortSignal) =>
  Buffer.concat(await Array.fromAsync(bundle.read(from, from + length, signal)));
