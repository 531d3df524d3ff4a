/** Identification of dumps whose container or labels were not known while their process was held. */

import type { HandlerSettings } from "../../config/options.ts";
import type { DumpRecord } from "../../domain/dump.ts";
import { reasonOf } from "../../domain/failures.ts";
import { readRecord, writeRecord } from "../../node/cache/record.ts";
import type { Entry } from "../../node/cache/spool.ts";
import { withOwner } from "../../node/capture/finishing.ts";
import { candidatesFrom } from "../../node/identity/cgroup.ts";
import { identifyByApi } from "../../node/identity/identify.ts";
import type { ContainerRuntime, Identification } from "../../node/identity/runtime.ts";
import { PROC_FILE_BYTES } from "../../system/proc.ts";
import { readSmall } from "../../system/small-file.ts";

interface Identified {
  readonly record: DumpRecord;
  /** Whether every engine that could know has answered: what is still unknown then stays so. */
  readonly answered: boolean;
}

/** Asks the run-times' APIs once more, under the record's lock. Writes what they say; an opt-out drops the core. */
export async function identifyLate(
  entry: Entry,
  record: DumpRecord,
  settings: HandlerSettings,
  signal: AbortSignal,
): Promise<Identified> {
  const { found, answered } = await askEngines(entry, record, settings, signal);
  if (!found) return { record, answered };
  const known = await withOwner(entry, record, found, { settings });
  if (JSON.stringify(known) !== JSON.stringify(readRecord(entry))) writeRecord(entry, known);
  return { record: known, answered };
}

/** @returns what the run-times' APIs say, undefined where there is nothing to ask for; and whether all of them answered, or one that knew */
export async function askEngines(
  entry: Entry,
  record: DumpRecord,
  settings: HandlerSettings,
  signal: AbortSignal,
): Promise<{ readonly found: Identification | undefined; readonly answered: boolean }> {
  const cgroup = cgroupOf(entry);
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

function cgroupOf(entry: Entry): Buffer | undefined {
  try {
    return readSmall(entry.path("facts/cgroup"), PROC_FILE_BYTES);
  } catch (error) {
    void reasonOf(error); // never written, or dropped with an opt-out
    return undefined;
  }
}
