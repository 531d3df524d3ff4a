/** What the commands that change the node have in common: root, and --bin-dir. */
import { isAbsolute, normalize } from "node:path";
import { DumpError } from "../../domain/failures.ts";
import type { Parsed } from "./flags.ts";

/** @throws DumpError NOT_PERMITTED: said at once, rather than by whichever file is refused first */
export function asRoot(verb: string): void {
  if (process.getuid?.() === 0) return;
  throw new DumpError("NOT_PERMITTED", `Cannot ${verb}: it changes the node, which takes root`, {
    hint: `sudo coredump-detector ${verb}`,
  });
}

/** @throws DumpError USAGE */
export function binDirOf(argv: Parsed): string {
  const given = String(argv["bin-dir"]);
  if (!isAbsolute(given)) throw new DumpError("USAGE", `Cannot use --bin-dir=${given}: not an absolute path`);
  return normalize(given).replace(/(?<=.)\/+$/, "");
}
