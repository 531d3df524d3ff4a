/** Identification of dumps whose container or labels were not known while their process was held. */

import type { DumpRecord } from "../../domain/dump.ts";
import { ifPossible } from "../../domain/failures.ts";
import { candidatesFrom } from "../../node/identity/cgroup.ts";
import { identifyByApi } from "../../node/identity/identify.ts";
import type { ContainerRuntime, Identification } from "../../node/identity/runtime.ts";
import { PROC_FILE_BYTES } from "../../system/proc.ts";
import { readSmall } from "../../system/small-file.ts";
import type { DumpContext } from "./context.ts";

interface Answered {
  /** What the run-times' APIs say; undefined where there is nothing to ask for. */
  readonly found: Identification | undefined;
  /** Whether every engine that could know has answered: what is still unknown then stays so. */
  readonly answered: boolean;
}

/** Asks the run-times' APIs once more. */
export async function askEngines({ entry, settings, signal }: DumpContext, record: DumpRecord): Promise<Answered> {
  // Not there: never written, or dropped with an opt-out.
  const cgroup = ifPossible(() => readSmall(entry.path("facts/cgroup"), PROC_FILE_BYTES));
  if (!cgroup || candidatesFrom(cgroup).length === 0) return { found: undefined, answered: true };
  const { runtimesOf } = await import("../../node/identity/confirm.ts");
  const engines = runtimesOf(settings);
  let failed = engines.length === 0;
  const heard = engines.map(
    (engine): ContainerRuntime => ({
      source: engine.source,
      address: engine.address,
      inspect: (id, signal) =>
        engine.inspect(id, signal).catch((error) => {
          failed = true;
          throw error;
        }),
    }),
  );
  const found = await identifyByApi(quickOf(record), cgroup, settings, signal, heard);
  return { found, answered: found.identity.confirmed || !failed };
}

const quickOf = ({ owner, container, pod, identity }: DumpRecord): Identification => ({
  ...{ owner, container, pod, identity },
  labels: null,
  logPath: null,
  documents: {},
});
