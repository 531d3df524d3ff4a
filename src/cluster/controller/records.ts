/**
 * Keeps the records of a namespace that hold no storage to a number: the oldest give way, counted by a younger one of their
 * kind. First the count (with the uids that it counts, so that no one is counted twice after a crash of ours), then the deletes.
 */

import { type Coredump, removeCoredump, writeCondition } from "../../kube/coredump.ts";
import { ifThere } from "../../kube/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import type { Mirror } from "../../kube/mirror.ts";
import { collapse } from "../policy/collapse.ts";
import { COUNTS, type DumpView } from "./view.ts";

type Dumps = Mirror<Coredump, DumpView>;

/** As many uids as a condition's message has room for: 4096 characters. */
const BATCH = 100;

/** @returns how many records went. @throws DumpError API_CONFLICT when one changed in between */
export async function keepRecords(
  http: KubeHttp,
  dumps: Dumps,
  namespace: string,
  most: number,
  signal: AbortSignal,
): Promise<number> {
  const { spent, groups } = collapse(dumps.in(namespace), most, BATCH);
  for (const { heir, records } of groups) await count(http, dumps, heir, records, signal);
  const going = [...spent, ...groups.flatMap(({ records }) => records)];
  for (const record of going) {
    await ifThere(removeCoredump(http, record, signal));
    dumps.remove(namespace, record.name, record.uid);
  }
  return going.length;
}

async function count(
  http: KubeHttp,
  dumps: Dumps,
  heir: DumpView,
  records: readonly DumpView[],
  signal: AbortSignal,
): Promise<void> {
  const message = records.map(({ uid }) => uid).join(" ");
  const counts = { type: COUNTS, status: "True", reason: "RecordsCollapsed", message } as const;
  const repeats = records.reduce((sum, { repeats }) => sum + repeats + 1, heir.repeats);
  dumps.put(await writeCondition(http, heir, counts, { repeats }, signal));
}
