/** What stores answer, as failures that everybody can tell apart. */
import { DumpError, errnoOf, type FailureCode, reasonOf } from "../../domain/failures.ts";

/** How a bundle's checksum is written in records: CRC-32 (zlib's) of all its bytes. */
export const checksumText = (crc: number): string => `crc32:${crc.toString(16).padStart(8, "0")}`;

const BY_ERRNO: Readonly<Record<string, readonly [code: FailureCode, hint: string]>> = {
  ENOSPC: ["STORE_FULL", "make room in the store: delete dumps, or enlarge the volume"],
  EDQUOT: ["STORE_FULL", "make room in the store: delete dumps, or raise the volume's quota"],
  EFBIG: ["STORE_REFUSED", "the volume's file system has no files that large"],
  EROFS: ["STORE_DENIED", "the volume is mounted read-only"],
  EACCES: ["STORE_DENIED", "let root write to the volume (no root_squash), or run as the user who may"],
  EPERM: ["STORE_DENIED", "let root write to the volume (no root_squash), or run as the user who may"],
  ELOOP: [
    "STORE_DENIED",
    "there is a symbolic link where a directory of the store should be: another program writes there",
  ],
  ENOTDIR: ["STORE_DENIED", "there is a file where a directory of the store should be: another program writes there"],
};
const BROKEN = [
  "STORE_UNAVAILABLE",
  "look at the volume and its file server; the dump stays on the node meanwhile",
] as const;

/**
 * @param error  an errno of the store's file system; all else passes through as it is
 * @param act    `put <key> into <volume>`
 */
export function fileFailure(error: unknown, act: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof DumpError) return error;
  const [code, hint] = BY_ERRNO[errno] ?? BROKEN;
  return new DumpError(code, `Cannot ${act}: ${reasonOf(error)}`, { cause: error, hint });
}
