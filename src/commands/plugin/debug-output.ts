import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import type { Coredump } from "../../plugin/objects.ts";
import { print } from "../output/print.ts";

/** @param all  the lines are of every thread, and say which */
export async function printBacktrace(
  lines: readonly string[],
  { spec, status }: Coredump,
  all: boolean,
): Promise<void> {
  const crashed = status?.threads?.find((thread) => thread.crashed);
  const name = crashed?.name ? ` "${printable(crashed.name)}"` : "";
  const title = `Thread ${crashed?.tid ?? "?"}${name} (crashed, ${printable(spec.signal?.name ?? "an unknown signal")})`;
  await print([...(all ? [] : [title]), ...lines].map((line) => `${line}\n`).join(""));
}

/** Why there is nothing to debug with. */
export function refuse({ spec }: Coredump, isOtherBuild: boolean): DumpError {
  const exe = printable(spec.exe ?? spec.filename ?? "the executable");
  const why = isOtherBuild ? "the image that is here has another build of it" : "the image does not have it";
  return new DumpError("TOOL_MISSING", `Cannot debug without ${exe}: ${why}`, {
    hint: `Name a folder with the files of ${printable(spec.image ?? "its image")} as they were by --sysroot; in the cluster, the right image by --image`,
  });
}
