/**
 * File mode: the kernel writes cores by itself, by a path that it looks up in the crashed process's own root. For sites that
 * want no handler; docs/operations.md says what it cannot do.
 */
import { posix } from "node:path";
import type { HandlerSettings } from "../../config/options.ts";
import { DumpError } from "../../domain/failures.ts";
import { PATTERN_MAX_BYTES } from "../kernel/core-pattern.ts";

type FileModeSettings = Pick<HandlerSettings, "mode" | "filePattern" | "dumpDir">;

/** Where the cache goes when no place was given, and the kernel writes where it would have been. */
export const DUMP_DIR_APART = "/var/lib/coredump-detector";

/** The pattern that is ours in file mode; undefined in the other. */
export const filePatternOf = ({ mode, filePattern }: FileModeSettings): string | undefined =>
  mode === "file" ? filePattern : undefined;

/** Whether the kernel would write into the cache, or the cache lie where processes may write. */
export function isInCache({ filePattern, dumpDir }: FileModeSettings): boolean {
  const files = withSlash(posix.dirname(`${filePattern.split("%")[0]}x`));
  const cache = withSlash(dumpDir);
  return files.startsWith(cache) || cache.startsWith(files);
}

const withSlash = (path: string): string => posix.join(path, "/");

/** @throws DumpError PATTERN_REFUSED for a pattern that would lose cores, SETTINGS_INVALID where the cache is in the way */
export function assertGoodFilePattern(settings: FileModeSettings): void {
  const { filePattern, dumpDir } = settings;
  const why = faultOf(filePattern);
  if (why !== undefined)
    throw new DumpError("PATTERN_REFUSED", `Cannot set the core_pattern ${JSON.stringify(filePattern)}: ${why}`, {
      hint: "a pattern such as /var/coredump/core_%e_%t_%P",
    });
  if (isInCache(settings))
    throw new DumpError(
      "SETTINGS_INVALID",
      `Cannot let the kernel write cores to ${filePattern}: that is in the cache, ${dumpDir}`,
      {
        hint: `Give --dump-dir another directory, such as ${DUMP_DIR_APART}: any process may write to the directory of the files`,
      },
    );
}

function faultOf(pattern: string): string | undefined {
  if (!/^\/[\x20-\x7e]*$/.test(pattern) || pattern.endsWith("/")) return "it is not an absolute path of a file";
  if (Buffer.byteLength(pattern) > PATTERN_MAX_BYTES) return `the kernel keeps ${PATTERN_MAX_BYTES} bytes`;
  // A pid comes again, and two crashes in a second have the same time: it takes both to overwrite nothing.
  if (!/%t/.test(pattern) || !/%[PpIi]/.test(pattern)) return "without %t and %P one core would overwrite another";
  return undefined;
}
