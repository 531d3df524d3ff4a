/**
 * Reads and writes at an offset, in libuv's threads, with no more between us and the system call than Node needs.
 * (FileHandle's methods cost twice as much per call, which counts at one call a page.)
 */
import { close, fsync, read, write, writeSync } from "node:fs";

/** pread(2); for a pipe pass `null` as the position. @returns bytes read, 0 at the end */
export function readAt(fd: number, buffer: Uint8Array, length: number, position: bigint | null): Promise<number> {
  return new Promise((resolve, reject) => {
    // Node's type leaves bigint positions out of this overload; the function takes them.
    read(fd, buffer, 0, length, position as unknown as number, (error, bytes) =>
      error ? reject(error) : resolve(bytes),
    );
  });
}

/** pwrite(2) until all of `buffer[from, to)` is written. @throws the errno of the first failure */
export async function writeAt(
  fd: number,
  buffer: Uint8Array,
  from: number,
  to: number,
  position: bigint,
): Promise<void> {
  for (let at = from; at < to; ) at += await writeOnce(fd, buffer, at, to - at, Number(position) + at - from);
}

const writeOnce = (fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> =>
  new Promise((resolve, reject) => {
    write(fd, buffer, offset, length, position, (error, bytes) => (error ? reject(error) : resolve(bytes)));
  });

export const sync = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => fsync(fd, (error) => (error ? reject(error) : resolve())));

export const closed = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => close(fd, (error) => (error ? reject(error) : resolve())));

/** write(2) of all the bytes, one after the other. */
export function writeAllSync(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** pwrite(2) of all the bytes, on this thread. */
export function writeAllAtSync(fd: number, bytes: Uint8Array, position: bigint): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, Number(position) + at);
}
