/** Bundles in the store, opened: what lies where, and whose it is. Remembered, because one core is fetched in many ranges. */

import { DumpError, ifPossible } from "../../domain/failures.ts";
import { type BundleEntry, bytesOf, entriesOf } from "../bundle/entries.ts";
import { isRestricted } from "../bundle/key.ts";
import { SeekableReader } from "../bundle/reader.ts";
import { corrupt } from "../bundle/seek-table.ts";
import { END_BYTES, paddingBytes } from "../bundle/tar.ts";
import type { DumpSource, Stored } from "../ports/source.ts";
import { StoredRanges } from "./ranges.ts";
import { Recent } from "./recent.ts";

/** What must be true of a bundle to be the one of a Coredump. */
export interface BundleIdentity {
  readonly id: string;
  readonly namespaceUid: string;
  readonly podUid: string;
  /** The Coredump's `status.checksum`, if it has one. */
  readonly checksum: string | undefined;
}

/** A bundle whose claim holds. */
export interface OpenBundle {
  readonly stored: Stored;
  readonly reader: SeekableReader;
  /** The core's place in the tar. */
  readonly core: BundleEntry;
  /** Hex digest of the core; null where the node did not say. */
  readonly sha256: string | null;
}

/** `info.json`, as far as it is looked at. */
interface Info {
  readonly id?: unknown;
  readonly namespaceUid?: unknown;
  readonly dumpable?: unknown;
  readonly pod?: { readonly uid?: unknown } | null;
  readonly core?: { readonly sha256?: unknown } | null;
}

interface OpenedBundle extends OpenBundle {
  readonly info: Info;
}

/** It holds no list that grows without end. */
const MAX_INFO_BYTES = 4 << 20;
/** For a store that answers at all; shared by all who wait for the same bundle, so no single one's signal ends it. */
const OPEN_MS = 30_000;
/** Frames of all bundles that are remembered. */
const MAX_FRAMES = 500_000;
/** What a bundle costs besides its frames, in frames. */
const BUNDLE_FRAMES = 100;

export class Bundles {
  readonly source: DumpSource;
  readonly #opened = new Recent<Promise<OpenedBundle>>(MAX_FRAMES);

  constructor(source: DumpSource) {
    this.source = source;
  }

  /** @throws DumpError NOT_FOUND, DUMP_RESTRICTED, STORE_CORRUPT, and what the source throws */
  async open(key: string, claim: BundleIdentity, signal: AbortSignal): Promise<OpenBundle> {
    const stored = await this.source.head(key, signal);
    const bundle = await orAborted(this.#remembered(stored), signal);
    check(bundle, claim);
    return bundle;
  }

  #remembered(stored: Stored): Promise<OpenedBundle> {
    const name = JSON.stringify(stored);
    const known = this.#opened.get(name);
    if (known) return known;
    const opening = opened(this.source, stored);
    this.#opened.set(name, opening, BUNDLE_FRAMES);
    opening.then(
      ({ reader }) => this.#opened.set(name, opening, BUNDLE_FRAMES + reader.frameCount),
      () => this.#opened.delete(name),
    );
    return opening;
  }
}

async function opened(source: DumpSource, stored: Stored): Promise<OpenedBundle> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(tooSlow(stored, source)), OPEN_MS).unref();
  return await looked(source, stored, late.signal).finally(() => clearTimeout(timer));
}

async function looked(source: DumpSource, stored: Stored, signal: AbortSignal): Promise<OpenedBundle> {
  const ranges = new StoredRanges(source, stored);
  await ranges.fetchEnds(signal);
  const reader = await SeekableReader.open(ranges, signal);
  let [info, core]: [Info | undefined, BundleEntry | undefined] = [undefined, undefined];
  for await (const entry of entriesOf(reader, signal)) {
    if (entry.name === "info.json") info = await infoIn(reader, entry, signal);
    core = entry;
  }
  ranges.forgetEnds();
  if (!info || core?.name !== "core") throw corrupt("it has no info.json, or does not end with a core");
  // The seek table has no checksum, and a wrong length in it would shift all that follows. But the tar says how long it
  // is, where its core begins, and from there on all frames but the last are of one length.
  const endBytes = core.fromBytes + core.sizeBytes + paddingBytes(core.sizeBytes) + END_BYTES;
  if (endBytes !== reader.plainBytes || !reader.isEvenFrom(core.fromBytes))
    throw corrupt("its seek table does not fit its files");
  const sha256 = info.core?.sha256;
  const isDigest = typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
  return { stored, reader, core, info, sha256: isDigest ? sha256 : null };
}

async function infoIn(reader: SeekableReader, entry: BundleEntry, signal: AbortSignal): Promise<Info> {
  if (entry.sizeBytes > MAX_INFO_BYTES) throw corrupt("its info.json is too large");
  const bytes = await bytesOf(reader, entry.fromBytes, entry.sizeBytes, signal);
  const info = ifPossible(() => JSON.parse(bytes.toString()) as Info | null);
  if (typeof info === "object" && info !== null) return info;
  throw corrupt("its info.json is none");
}

/** A key leads to a place; whose the bundle is that lies there, the bundle itself says. */
function check({ info, sha256 }: OpenedBundle, claim: BundleIdentity): void {
  const dumpable = typeof info.dumpable === "number" ? info.dumpable : null;
  const hint = "only the node's administrators can read the memory of a process that was not dumpable";
  const why = "Cannot serve the core: the process was not dumpable, or that is not known";
  if (isRestricted({ state: "Saved", dumpable })) throw new DumpError("DUMP_RESTRICTED", why, { hint });
  if (info.id !== claim.id || info.namespaceUid !== claim.namespaceUid || info.pod?.uid !== claim.podUid)
    throw corrupt("it is another dump's, or of an earlier namespace of this name");
  if (claim.checksum !== undefined && sha256 !== null && claim.checksum !== `sha256:${sha256}`)
    throw corrupt("its core's checksum is not the one that the node reported");
}

const tooSlow = ({ key }: Stored, { volume }: DumpSource): DumpError =>
  new DumpError("STORE_UNAVAILABLE", `Cannot open ${key} in ${volume}: no answer for ${OPEN_MS / 1000} s`);

/** The same, unless the signal fires before. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
