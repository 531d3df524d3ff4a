import { type Cache, openCache } from "../cache/cache.ts";
import type { DumpRecord } from "../domain/dump.ts";
import { reasonOf } from "../domain/failures.ts";
import { printable } from "../domain/text.ts";
import { type Parsed, settingsOf } from "./flags.ts";
import { say } from "./output/print.ts";

/**
 * The node's cache, with the records finished that a killed handler left behind (whoever opens the cache does that).
 * A failure to finish one costs nothing that was asked for here.
 */
export async function openedCache(argv: Parsed): Promise<Cache> {
  // A node on which nothing has crashed yet has no directory; one that was named must be there.
  const cache = openCache(settingsOf(argv).dumpDir, { create: argv["dump-dir"] === undefined });
  try {
    await cache.finishAbandoned();
  } catch (error) {
    say(`warning: a dump that was left unfinished stays so: ${printable(reasonOf(error))}`);
  }
  return cache;
}

/** The records that ids or short ids name, all of them or an error: nothing is done by halves because of a typing error. */
export const found = (cache: Cache, ids: readonly string[]): DumpRecord[] => [
  ...new Map(ids.map((id) => cache.find(id)).map((record) => [record.id, record])).values(),
];
