/**
 * Durable files: what has a final name is whole and on the disk.
 * Promise  A crash at any instant leaves the old file or the new one, and perhaps a `.part` beside it.
 * Errors   An errno passes through as it came; the caller adds the words, because it knows which dump it was.
 */
import { closeSync, constants, fsyncSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { closed, sync, writeAllSync } from "./io.ts";

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/** Whole under its final name at once, on the disk when `flush` has run: readers never see half a file. */
export function replaceSync(path: string, bytes: Uint8Array, mode = 0o600): void {
  const part = `${path}.part`;
  const fd = openSync(part, NEW, mode);
  try {
    writeAllSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
  renameSync(part, path);
}

/** fsync of files and then of their directory, off this thread: durable in this order only. */
export async function flush(directory: string, files: readonly string[]): Promise<void> {
  for (const file of files) await flushOne(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  await flushOne(directory, constants.O_RDONLY | constants.O_DIRECTORY);
}

async function flushOne(path: string, flags: number): Promise<void> {
  const fd = openSync(path, flags);
  try {
    await sync(fd);
  } finally {
    await closed(fd);
  }
}

/** `replaceSync`, durable before it returns. For places where nothing waits. */
export function publishSync(path: string, bytes: Uint8Array, mode = 0o600): void {
  const part = `${path}.part`;
  const fd = openSync(part, NEW, mode);
  try {
    writeAllSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(part, path);
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
