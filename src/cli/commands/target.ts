/** Where a command writes a core. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { DumpError } from "../../domain/failures.ts";

/**
 * Where a core goes: the file that was named, one of that name in a directory or here; undefined: stdout.
 * @throws DumpError USAGE rather than write memory to a terminal
 */
export function targetPath(file: string | undefined, name: string): string | undefined {
  if (file === "-" && process.stdout.isTTY) {
    throw new DumpError("USAGE", "Cannot write a core to a terminal: it is not text", { hint: "Name a file" });
  }
  if (file === "-" || (file === undefined && !process.stdout.isTTY)) return undefined;
  if (file === undefined) return name;
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ? join(file, name) : file;
}
