/** The whole pipeline over a recorded crash: the same steps as for a real one, in a world of files. No root needed. */

import { CAPTURE_OPTIONS, type HandlerSettings, NODE_OPTIONS } from "../../config/options.ts";
import { valuesOf } from "../../config/values.ts";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { openCache } from "../../node/cache/cache.ts";
import { writeRecord } from "../../node/cache/record.ts";
import type { World } from "../../node/capture/world.ts";
import { identifyByApi, identifyProcess } from "../../node/identity/identify.ts";
import type { Fixture } from "../fixture.ts";
import { handle } from "./handler.ts";

/**
 * Replays into the cache at `dumpDir`, which is made (0700) when it is not there.
 *
 * @returns the record that the handler made, but for `heldMs`: no process was held
 * @throws DumpError CORE_UNREADABLE, CACHE_UNUSABLE, NOT_PERMITTED; UNEXPECTED with the handler's last word
 */
export async function replay(fixture: Fixture, dumpDir: string): Promise<DumpRecord> {
  const cache = openCache(dumpDir, { create: true });
  const before = new Set(cache.records().map(({ id }) => id));
  const lastWords: string[] = [];
  const world: World = {
    proc: fixture.proc,
    stdin: await fixture.openCore(dumpDir),
    settings: settingsFor(dumpDir),
    node: fixture.node,
    executable: process.execPath,
    formerHandler: undefined,
    kernelLog: (text) => lastWords.push(text),
    identify: {
      quickly: (facts, settings) => identifyProcess(facts, settings, undefined, fixture.places),
      byApi: (quick, cgroup, settings, signal) => identifyByApi(quick, cgroup, settings, signal, fixture.runtimes),
    },
  };
  const exitCode = await handle(fixture.kernelCall, world, [`a recorded crash, replayed from ${fixture.name}`]);
  const record = cache.records().find(({ id }) => !before.has(id));
  if (exitCode !== 0 || !record)
    throw new DumpError("UNEXPECTED", `Cannot replay ${fixture.name}: ${lastWords.join("; ") || "it left no record"}`);
  const replayed = { ...record, heldMs: null };
  writeRecord(cache.spool.entry(record.id), replayed);
  return replayed;
}

/** Defaults, whatever the node's own are; the whole disk, because a small core is asked for; the pipe, because the memory is gone. */
function settingsFor(dumpDir: string): HandlerSettings {
  const set: Record<string, string> = {
    [NODE_OPTIONS.dumpDir.flag]: dumpDir,
    [CAPTURE_OPTIONS.capture.flag]: "drain",
    [CAPTURE_OPTIONS.host.flag]: "keep",
    [CAPTURE_OPTIONS.cacheShare.flag]: "100",
    [CAPTURE_OPTIONS.freeShare.flag]: "0",
  };
  const found = ({ flag }: { flag: string }) => set[flag];
  const ignore = () => undefined;
  return { ...valuesOf(NODE_OPTIONS, found, ignore), ...valuesOf(CAPTURE_OPTIONS, found, ignore) };
}
