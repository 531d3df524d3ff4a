/** The node's cache and its dumps, as commands open and name them. */
import type { DumpRecord } from "../../domain/dump.ts";
import { reasonOf } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";
import { AT_ONCE_BYTES } from "../../node/cache/abandoned.ts";
import { type Cache, openCache } from "../../node/cache/cache.ts";
import { explainLater } from "../../node/capture/explaining.ts";
import { say } from "../output/print.ts";
import { type Parsed, settingsOf } from "./flags.ts";

/**
 * The node's cache, with the records finished that a killed handler left (each command does that), as far as it
 * takes no time. A failure to finish one costs nothing that was asked for here.
 */
export async function openedCache(argv: Parsed): Promise<Cache> {
  // A node on which nothing has crashed yet has no directory; one that was named must be there.
  const { dumpDir, crash } = settingsOf(argv);
  const cache = openCache(dumpDir, { create: argv["dump-dir"] === undefined, explain: explainLater(crash) });
  try {
    const later = (await cache.finishAbandoned({ mostBytes: AT_ONCE_BYTES })).map(shortId);
    if (later.length > 0)
      say(
        `note: ${later.slice(0, 3).join(", ")}${later.length > 3 ? ", …" : ""}: left unfinished by a handler that was killed. ` +
          "The agent finishes it, or the next handler; `verify` and `dump` of it do it now",
      );
  } catch (error) {
    say(`warning: a dump that was left unfinished stays so: ${printable(reasonOf(error))}`);
  }
  return cache;
}

/** The records that ids or short ids name, all of them or an error: nothing is done by halves because of a typing error. */
export const found = (cache: Cache, ids: readonly string[]): DumpRecord[] => [
  ...new Map(ids.map((id) => cache.find(id)).map((record) => [record.id, record])).values(),
];
