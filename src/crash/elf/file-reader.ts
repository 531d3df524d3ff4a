/** A file's bytes for the ELF parsers; one buffer, grown as needed. */
import { readSync } from "node:fs";
import type { ReadAt } from "./bytes.ts";

export function fileReader(fd: number): ReadAt {
  let buffer = Buffer.alloc(64 * 1024);
  return (offsetBytes, lengthBytes) => {
    if (buffer.length < lengthBytes) buffer = Buffer.alloc(lengthBytes);
    return buffer.subarray(0, readSync(fd, buffer, 0, lengthBytes, Number(offsetBytes)));
  };
}
