/** What `debug` prints: backtraces, and why there is none. */
import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { parseDurationMs } from "../../domain/units.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { backtraceIn, boundsFor } from "../client/debug/gdb.ts";
import type { Bounds, Ended } from "../client/debug/tool.ts";
import type { Parsed } from "../commands/flags.ts";
import { print } from "../output/print.ts";

/** gdb's bounds in batch mode. @throws DumpError USAGE */
export function boundsIn(argv: Parsed): Bounds {
  const timeoutMs = parseDurationMs(String(argv["gdb-timeout"]));
  if (timeoutMs !== undefined && timeoutMs > 0) return boundsFor(timeoutMs);
  throw new DumpError("USAGE", `Cannot use --gdb-timeout=${argv["gdb-timeout"]}: not a duration such as 5m`);
}

/**
 * @param all  the lines are of every thread, and say which
 * @throws DumpError when not all of it came, after what did
 */
export async function printBacktrace(
  ended: Ended,
  bounds: Bounds,
  { spec, status }: Coredump,
  all: boolean,
): Promise<void> {
  const { lines, cut } = backtraceIn(ended, bounds);
  const crashed = status?.threads?.find((thread) => thread.crashed);
  const name = crashed?.name ? ` "${printable(crashed.name)}"` : "";
  const title = `Thread ${crashed?.tid ?? "?"}${name} (crashed, ${printable(spec.signal?.name ?? "an unknown signal")})`;
  await print([...(all ? [] : [title]), ...lines].map((line) => `${line}\n`).join(""));
  if (cut) throw cut;
}

/** Why there is nothing to debug with. */
export function refuse({ spec }: Coredump, isOtherBuild: boolean): DumpError {
  const exe = printable(spec.exe ?? spec.filename ?? "the executable");
  const why = isOtherBuild ? "the image that is here has another build of it" : "the image does not have it";
  return new DumpError("TOOL_MISSING", `Cannot debug without ${exe}: ${why}`, {
    hint: `Name a folder with the files of ${printable(spec.image ?? "its image")} as they were by --sysroot; in the cluster, the right image by --image`,
  });
}
