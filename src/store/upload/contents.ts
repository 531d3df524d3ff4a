/** What is in a bundle besides the core: small files, first in the tar, so that they are read without the rest. */
import { readdirSync } from "node:fs";
import { type DumpRecord, foundIn } from "../../domain/dump.ts";
import { errnoOf } from "../../domain/failures.ts";
import { readSmall } from "../../system/small-file.ts";
import { paddingBytes, tarHeader } from "../bundle/tar.ts";

/** A dump's files in the cache. */
export interface DumpFiles {
  readonly core: string;
  path(name: string): string;
}

/** A file's name in the bundle, and in the cache. */
const DOCUMENTS: readonly (readonly [inBundle: string, inCache: string])[] = [
  ["pod.json", "pod.json"],
  ["container.json", "container.json"],
  ["image.json", "image.json"],
  ["crash.json", "crash.json"],
  ["log.txt", "logs/log.txt"],
];

/** They hold secrets, and never leave the node. */
const SECRET_FACTS: ReadonlySet<string> = new Set(["cmdline", "environ"]);

/** All of them are held in memory at once. */
const MAX_FILE_BYTES = 4 << 20;

/** The tar up to the first byte of the core. @throws the errno of a file that cannot be read */
export function preludeOf(record: DumpRecord, files: DumpFiles, coreBytes: number): Buffer {
  const mtime = new Date(record.dumptime);
  const found = [...DOCUMENTS, ...facts(files)].map(([name, inCache]) => [name, small(files.path(inCache))] as const);
  const leftOut = found.flatMap(([name, bytes]) => (bytes === "too large" ? [name] : []));
  const info = Buffer.from(`${JSON.stringify(infoOf(record, leftOut), null, 1)}\n`);
  const entries = [["info.json", info] as const, ...found].flatMap(([name, bytes]) =>
    Buffer.isBuffer(bytes) ? [tarHeader({ name, sizeBytes: bytes.length }, mtime), bytes, zeros(bytes)] : [],
  );
  return Buffer.concat([...entries, tarHeader({ name: "core", sizeBytes: coreBytes }, mtime)]);
}

/** `info.json`. @param leftOut  files of the dump that were too large for the bundle */
const infoOf = (record: DumpRecord, leftOut: readonly string[]): object => ({
  ...foundIn(record),
  // A namespace that was deleted and made again has another uid, and inherits nothing.
  namespaceUid: record.cluster?.namespaceUid ?? null,
  clusterUid: record.cluster?.clusterUid ?? null,
  coredump: record.cluster?.name ?? null,
  leftOut,
});

const zeros = (bytes: Buffer): Buffer => Buffer.alloc(paddingBytes(bytes.length));

function facts(files: DumpFiles): [string, string][] {
  const names = absent(() => readdirSync(files.path("facts"))) ?? [];
  const open = names.filter((name) => /^\w+$/.test(name) && !SECRET_FACTS.has(name));
  return open.sort().map((name) => [`facts/${name}`, `facts/${name}`]);
}

function small(path: string): Buffer | "too large" | undefined {
  try {
    return absent(() => readSmall(path, MAX_FILE_BYTES));
  } catch (error) {
    if (errnoOf(error) === "EFBIG") return "too large";
    if (errnoOf(error) === "EINVAL") return undefined; // no file
    throw error;
  }
}

/** A file that was never made is not a failure: not every dump has all. */
function absent<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
