/** A download to where it is wanted: a file that goes on from an earlier attempt, or stdout. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { DumpError } from "../../domain/failures.ts";
import { formatBytes } from "../../domain/units.ts";
import { PartFile } from "../client/part-file.ts";
import { type Bytes, inOrder, Pace, scattered } from "../client/pieces.ts";
import { digestOf } from "../commands/core-file.ts";
import { print, say } from "../output/print.ts";
import { ProgressBar } from "../output/progress.ts";
import { alreadyThere, Device } from "../output/sinks.ts";

export interface DownloadOrder {
  readonly remote: Bytes;
  /** What it must be, in hex; undefined: it is not stated. */
  readonly sha256: string | undefined;
  readonly signal: AbortSignal;
}

/** @throws DumpError; whatever ends it, what has come stays in FILE.part, unless it is not what it should be */
export async function intoFile(download: DownloadOrder, path: string, force: boolean): Promise<void> {
  if (isDevice(path)) return await intoDevice(download, path);
  if (!force && existsSync(path)) throw alreadyThere(path);
  const { remote, signal } = download;
  using part = new PartFile(path, remote);
  const before = part.doneBytes;
  if (before > 0)
    say(`Going on with ${part.path}: ${formatBytes(before)} of ${formatBytes(remote.lengthBytes)} are there`);
  try {
    await fill(part, remote, signal);
  } catch (error) {
    if (part.doneBytes > 0)
      say(`${part.path} keeps ${formatBytes(part.doneBytes)}; the same command goes on from there`);
    throw error;
  }
  const digest = await sealed(part, download, force);
  say(`${path}: ${formatBytes(remote.lengthBytes)}, sha256 ${digest}`);
}

/** What is still missing of it. */
export async function fill(part: PartFile, remote: Bytes, signal: AbortSignal): Promise<void> {
  let done = part.doneBytes;
  using progress = new ProgressBar(remote.lengthBytes);
  await scattered(remote, part.missing(), { pace: new Pace(), signal }, async (chunk, atBytes) => {
    await part.write(chunk, atBytes);
    done += chunk.length;
    progress.at(done);
  });
}

/** Gives the file its name when its bytes are the right ones. @returns their SHA-256, in hex */
export async function sealed(part: PartFile, download: DownloadOrder, force: boolean): Promise<string> {
  part.complete();
  const digest = await digestOf(part.fd, undefined, download.remote.lengthBytes);
  check(download, digest, () => part.discard());
  part.publish(force);
  return digest;
}

/** A device or a pipe (`/dev/null`, `>(gzip)`) takes bytes in order, and there is nothing to go on from. */
const isDevice = (path: string): boolean => {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && !there.isFile();
};

async function intoDevice(download: DownloadOrder, path: string): Promise<void> {
  using device = new Device(path);
  for await (const chunk of streamed(download)) await device.write(chunk);
}

/** @throws DumpError DUMP_CORRUPT after the last byte, when they were the wrong ones */
export async function intoStdout(download: DownloadOrder): Promise<void> {
  for await (const chunk of streamed(download)) await print(chunk);
}

/** Every byte in order; an error after the last one when they were the wrong ones. */
export async function* streamed(download: DownloadOrder): AsyncGenerator<Buffer> {
  const { remote, signal } = download;
  const hash = createHash("sha256");
  let done = 0;
  using progress = new ProgressBar(remote.lengthBytes);
  for await (const chunk of inOrder(remote, { pace: new Pace(), signal })) {
    hash.update(chunk);
    yield chunk;
    done += chunk.length;
    progress.at(done);
  }
  check(download, hash.digest("hex"));
}

function check({ sha256 }: DownloadOrder, digest: string, discard?: () => void): void {
  if (sha256 === undefined || sha256 === digest) return;
  discard?.();
  throw new DumpError("DUMP_CORRUPT", `Cannot confirm what came: its SHA-256 is ${digest}, not ${sha256}`, {
    hint: "Run the command again; if this stays so, the store or the way to it is damaged",
  });
}
