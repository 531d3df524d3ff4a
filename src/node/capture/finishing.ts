/** The part of the handler after the release: nothing waits, so everything that takes time is here. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { reasonOf } from "../../domain/failures.ts";
import { mayFollow } from "../../domain/states.ts";
import { jsonBytes } from "../../domain/units.ts";
import { OPT_OUT_LABEL, optedOut } from "../../domain/wishes.ts";
import type { OpenEntry } from "../cache/begin.ts";
import { decide } from "../cache/decide.ts";
import { recordOnDisk, writeRecord } from "../cache/record.ts";
import { seal } from "../cache/seal.ts";
import type { Entry } from "../cache/spool.ts";
import type { Identification } from "../identity/runtime.ts";
import { ask, type Copied } from "./copying.ts";
import { explain } from "./explaining.ts";
import { ownerOf } from "./observing.ts";
import type { World } from "./world.ts";

/** Seals the core and asks the run-time at the same time; the record is durable when this resolves. */
export async function finish(open: OpenEntry, copied: Copied, world: World): Promise<DumpRecord> {
  const { entry } = open;
  const { scene, received, heldMs } = copied;
  const arrived: DumpRecord = {
    ...scene.record,
    heldMs,
    warnings: [
      ...scene.record.warnings,
      ...(received.doubt && scene.process && world.settings.capture !== "drain"
        ? [`copied from the pipe: ${received.doubt}`]
        : []),
    ],
    core: {
      ...scene.record.core,
      capture: received.capture,
      sizeBytes: jsonBytes(received.sizeBytes),
      truncation: received.truncation ?? null,
    },
  };
  writeRecord(entry, arrived); // from here on a killed handler's copy is known to have come to its end
  const { crash, warnings } = await explain(entry, {
    ...copied.explaining,
    threadNames: copied.threadNames,
    coreBytes: received.sizeBytes,
  }); // before the checksum, which takes longer
  const small = copied.keepSmall(received.truncation !== "disk-full");
  const answer = scene.quick.owner === "host" ? scene.quick : (copied.asked ?? ask(scene, world));
  const explained = { ...arrived, crash, warnings: [...arrived.warnings, ...warnings] };
  if (crash) writeRecord(entry, explained); // another process that finishes it would have no files to read it from
  const sealed = await seal(entry, explained, {
    ...received,
    threadNames: copied.threadNames,
    stopped: copied.stopped,
  });
  const problems = await small; // all facts are there, before an opt-out takes them away again
  const owned = await withOwner(entry, sealed, await answer, world);
  const record = { ...owned, warnings: [...owned.warnings, ...problems] };
  writeRecord(entry, record);
  await recordOnDisk(entry);
  return record;
}

/** What the run-time's API added: who, the documents, the log; and whether the owner wants no core at all. */
export async function withOwner(
  entry: Entry,
  record: DumpRecord,
  found: Identification,
  { settings }: { readonly settings: Pick<World["settings"], "logLines"> },
): Promise<DumpRecord> {
  const owned = { ...record, ...ownerOf(found) };
  if (optedOut(found.labels) && mayFollow(record.state, "Refused"))
    return decide(entry, owned, "Refused", {
      reason: "OptedOut",
      message: `the owner's label ${OPT_OUT_LABEL} says so`,
    });
  const problem = await keepDocuments(entry, found, settings.logLines);
  return problem ? { ...owned, warnings: [...owned.warnings, problem] } : owned;
}

async function keepDocuments(
  entry: Entry,
  { documents, logPath }: Identification,
  logLines: number,
): Promise<string | undefined> {
  try {
    for (const [name, document] of Object.entries(documents)) {
      if (document !== undefined)
        writeFileSync(entry.path(`${name}.json`), `${JSON.stringify(document, null, 1)}\n`, { mode: 0o600 });
    }
    if (!logPath || logLines <= 0) return undefined;
    const { logTail } = await import("../identity/log-tail.ts");
    mkdirSync(entry.path("logs"), { recursive: true, mode: 0o700 });
    writeFileSync(entry.path("logs/log.txt"), `${logTail(logPath, logLines).join("\n")}\n`, { mode: 0o600 });
    return undefined;
  } catch (error) {
    return `the container's documents or log were not kept: ${reasonOf(error)}`;
  }
}
