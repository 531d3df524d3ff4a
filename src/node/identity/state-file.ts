/** One file of a run-time's state. */
import { DumpError, errnoOf, reasonOf } from "../../domain/failures.ts";
import { readSmall, SMALL_FILE_BYTES } from "../../system/small-file.ts";

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
  try {
    return readSmall(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    const oddity = { EINVAL: "it is not a file", EFBIG: `it is larger than ${SMALL_FILE_BYTES} bytes` }[errno ?? ""];
    if (oddity) throw new DumpError("RUNTIME_ANSWER_INVALID", `Cannot read ${path}: ${oddity}`);
    throw new DumpError("RUNTIME_UNAVAILABLE", `Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
