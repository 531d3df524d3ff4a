/**
 * Keeps the records of a namespace that hold no storage to a number: the oldest give way, counted by a younger one of their
 * kind. First the count (with the uids that it counts, so that no one is counted twice after a crash of ours), then the deletes.
 */

import { ifThere } from "../../kube/answers.ts";
import { type KubeHttp, MERGE_PATCH } from "../../kube/http.ts";
import type { Mirror } from "../../kube/mirror.ts";
import { COREDUMP_API, member } from "../../kube/objects.ts";
import { collapse } from "../policy/collapse.ts";
import { COUNTS, type Condition, type CoredumpObject, type DumpView } from "./view.ts";

type Dumps = Mirror<CoredumpObject, DumpView>;

/** As many uids as a condition's message has room for: 4096 characters. */
const BATCH = 100;

/** @returns how many records went. @throws DumpError API_CONFLICT when somebody changed one in between */
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
  for (const record of going) await remove(http, dumps, record, signal);
  return going.length;
}

async function count(
  http: KubeHttp,
  dumps: Dumps,
  heir: DumpView,
  records: readonly DumpView[],
  signal: AbortSignal,
): Promise<void> {
  const path = member(COREDUMP_API, "coredumps", heir.name, heir.namespace);
  const { status } = await http.json<CoredumpObject>({ verb: "get", resource: "coredumps", path, signal });
  const others = (status?.conditions ?? []).filter(({ type }) => type !== COUNTS);
  const counts: Condition = {
    type: COUNTS,
    status: "True",
    lastTransitionTime: new Date().toISOString(),
    reason: "RecordsCollapsed",
    message: records.map(({ uid }) => uid).join(" "),
  };
  const body = {
    metadata: { uid: heir.uid, resourceVersion: heir.resourceVersion },
    status: {
      repeats: records.reduce((sum, { repeats }) => sum + repeats + 1, heir.repeats),
      conditions: [...others, counts],
    },
  };
  const patch = { verb: "patch", resource: "coredumps/status", path: `${path}/status`, body, signal } as const;
  dumps.put(await http.json<CoredumpObject>({ ...patch, contentType: MERGE_PATCH }));
}

async function remove(http: KubeHttp, dumps: Dumps, record: DumpView, signal: AbortSignal): Promise<void> {
  const { namespace, name, uid, resourceVersion } = record;
  const path = member(COREDUMP_API, "coredumps", name, namespace);
  const body = { preconditions: { uid, resourceVersion } };
  await ifThere(http.json({ verb: "delete", resource: "coredumps", path, body, signal }));
  dumps.remove(namespace, name, uid);
}
