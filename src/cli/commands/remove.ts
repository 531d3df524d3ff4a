/** Deletes dumps of the cache one by one. */
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";
import type { Cache } from "../../node/cache/cache.ts";
import { size, who } from "../output/describe.ts";
import { say } from "../output/print.ts";

/**
 * Deletes each, and says so; one that is busy does not save the others.
 * @throws DumpError the first failure, when all others were tried
 */
export function remove(cache: Cache, records: readonly DumpRecord[], purge: boolean): void {
  if (records.length === 0) say("Nothing to delete");
  let failure: unknown;
  for (const record of records) {
    try {
      const dropped = record.state === "Deleted" ? record : cache.drop(record, "Deleted", "OperatorDeleted");
      if (purge) cache.forget(dropped);
      const name = `${shortId(record.id)} ${printable(record.executable)} (${who(record)}, ${size(record)})`;
      say(
        record.state === "Deleted" && !purge
          ? `${name} was deleted before`
          : `${name} deleted${purge ? " and forgotten" : ""}`,
      );
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      if (failure !== undefined) say(`error: ${printable(reasonOf(error))}`);
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}
