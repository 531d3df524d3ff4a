/** One file of a run-time's state. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { DumpError, errnoOf, reasonOf } from "../domain/failures.ts";

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** An OCI configuration has some 20 kB; environments and mounts can make it large. */
const MAX_BYTES = 4 << 20;

/**
 * A JSON file, synchronously.
 *
 * @returns undefined when there is no such file
 * @throws DumpError RUNTIME_ANSWER_INVALID when it is no JSON, no file or too large; RUNTIME_UNAVAILABLE when it cannot be read
 */
export function readStateFile(path: string): unknown {
  const bytes = read(path);
  try {
    return bytes === undefined ? undefined : JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new DumpError("RUNTIME_ANSWER_INVALID", `Cannot read ${path}: it is not JSON`);
  }
}

function read(path: string): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, FLAGS);
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new DumpError("RUNTIME_ANSWER_INVALID", `Cannot read ${path}: it is no file`);
    if (stat.size > MAX_BYTES) {
      throw new DumpError("RUNTIME_ANSWER_INVALID", `Cannot read ${path}: it is larger than ${MAX_BYTES} bytes`);
    }
    const bytes = Buffer.allocUnsafe(stat.size);
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    if (error instanceof DumpError) throw error;
    throw new DumpError("RUNTIME_UNAVAILABLE", `Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
