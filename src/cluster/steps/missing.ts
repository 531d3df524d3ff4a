/** Objects that wait for this node's core, where this node's cache knows nothing of it: their owners would wait for ever. */
import type { DumpRecord } from "../../domain/dump.ts";
import { isCode } from "../../domain/failures.ts";
import { awaitsStore } from "../../domain/states.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { Registry } from "../registration/registry.ts";

/** In one go: each costs a request, and the next list brings the others. */
const MOST = 200;

export const missingWords = (dumpDir: string): string =>
  `its node has nothing of it in ${dumpDir}: its core lies in a former dump directory there, if the node still has that`;

/** Those that no record is of, and that do not say so yet. */
export function missingFrom(
  records: readonly Pick<DumpRecord, "id">[],
  coredumps: readonly Coredump[],
  words: string,
): Coredump[] {
  const known = new Set(records.map(({ id }) => id));
  const isMissing = ({ spec, status, metadata }: Coredump): boolean =>
    awaitsStore(status?.state) && !known.has(spec.id ?? "") && metadata.deletionTimestamp === undefined;
  return coredumps.filter((coredump) => isMissing(coredump) && coredump.status?.message !== words).slice(0, MOST);
}

/** Tells their owners. @throws DumpError the first failure but that an object has changed or is gone */
export async function tellMissing(
  registry: Pick<Registry, "note">,
  missing: readonly Coredump[],
  words: string,
  signal: AbortSignal,
): Promise<void> {
  for (const coredump of missing) {
    try {
      await registry.note(coredump, words, signal);
    } catch (error) {
      if (!isCode(error, "API_CONFLICT", "NOT_FOUND")) throw error;
    }
  }
}
