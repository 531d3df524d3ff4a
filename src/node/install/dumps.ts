/** `uninstall` and dumps: names those that are nowhere else, or with `purge` removes them all. */
import { existsSync, rmdirSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { ifPossible, reasonOf } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { isOver } from "../../domain/states.ts";
import { printable } from "../../domain/text.ts";
import { formatBytes } from "../../domain/units.ts";
import { type Cache, openCache } from "../cache/cache.ts";
import { type Host, seen } from "./host.ts";
import { remove } from "./put.ts";
import { ok, type Step, warning } from "./step.ts";

export function leaveDumps(dumpDir: string, purge: boolean, host: Host): Step[] {
  const dir = seen(host, dumpDir);
  if (!existsSync(dir)) return [];
  try {
    const cache = openCache(dir);
    return purge ? [purged(cache, dumpDir, dir)] : kept(cache, dumpDir);
  } catch (error) {
    return [warning("dumps", `${dumpDir} left alone: ${reasonOf(error)}`)];
  }
}

/** A core that only this node has. */
const isOnlyHere = (record: DumpRecord): boolean => !isOver(record.state);

function kept(cache: Cache, dumpDir: string): Step[] {
  const records = cache.records();
  const held = records.filter(isOnlyHere);
  if (records.length === 0) return [ok("dumps", `none in ${dumpDir}`)];
  if (held.length === 0)
    return [ok("dumps", `records of ${count(records.length)} stay in ${dumpDir}; none holds a core`)];
  const text = `${count(held.length)} not stored anywhere else stay${held.length === 1 ? "s" : ""} in ${dumpDir}:`;
  const lines = held.map((record) => ok("", `${cache.corePath(record)}   ${named(record)}`));
  return [warning("dumps", text), ...lines, ok("", "uninstall --purge removes them")];
}

function purged(cache: Cache, dumpDir: string, dir: string): Step {
  const records = cache.records();
  const busy = records.filter((record) => {
    try {
      cache.forget(record);
      return false;
    } catch {
      return true; // its handler is at it: it will leave a record, and so must we
    }
  });
  if (busy.length > 0) {
    return warning(
      "dumps",
      `${busy.map(named).join(", ")} in ${dumpDir} still being captured`,
      "Run it again in a moment",
    );
  }
  for (const own of [".lock", ".slots", ".kmsg", ".ended"]) remove(`${dir}/${own}`);
  ifPossible(() => rmdirSync(dir)); // there may be other people's files, or it is a mount point
  return ok("dumps", `${count(records.length)} purged from ${dumpDir}`);
}

const count = (dumps: number): string => `${dumps} dump${dumps === 1 ? "" : "s"}`;

const named = (record: DumpRecord): string => {
  const owner = record.pod ? `${record.pod.namespace}/${record.pod.name}` : record.owner;
  const size = record.core.storedBytes === null ? "" : `, ${formatBytes(record.core.storedBytes)}`;
  return printable(`${shortId(record.id)} ${record.executable} (${owner}${size})`);
};
