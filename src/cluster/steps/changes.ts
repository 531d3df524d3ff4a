/** What the API says of this node's Coredumps, handed to the queues. */

import { DumpError } from "../../domain/failures.ts";
import { isDumpId } from "../../domain/id.ts";
import { isGone } from "../../domain/states.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { WorkQueue } from "../../kube/workqueue.ts";
import type { Binding, Cache } from "../../node/cache/cache.ts";
import { stateInApi } from "../registration/coredump.ts";
import { type Changes, isNotOlder } from "../registration/registry.ts";

/** More than are ever looked at after their deletion. */
const MOST_DELETED = 10_000;

export interface Queues {
  readonly quick: WorkQueue;
  readonly uploads: WorkQueue;
  readonly deliveries: WorkQueue;
  /** Long cores that killed handlers left. */
  readonly seals: WorkQueue;
}

/** All that waits for its next try: the API is there again. */
export function hasten({ quick, uploads, deliveries }: Omit<Queues, "seals">): void {
  for (const queue of [quick, uploads, deliveries]) queue.hastenAll();
}

/** Objects that are gone, by uid: because a watch reported their deletion, or because the API has forgotten them. */
export interface Absent {
  readonly deleted: Set<string>;
  readonly forgotten: Set<string>;
}

/** @param absent gets what is learnt of absent objects */
export function changesFor(cache: Cache, queues: Queues, { deleted, forgotten }: Absent): Changes {
  const { quick, uploads } = queues;
  const changed = (id: string) => void (isDumpId(id) && quick.hasten(id));
  const gone = (id: string) => {
    if (isDumpId(id)) uploads.interrupt(id, new DumpError("NOT_FOUND", "its Coredump was deleted"));
    changed(id);
  };
  return {
    listed: (coredumps, version) => {
      const records = cache.bindings();
      const there = new Set(coredumps.map(({ metadata }) => metadata.uid));
      if (isRestored(records, version))
        for (const { cluster } of records)
          if (cluster && !there.has(cluster.objectUid)) forgotten.add(cluster.objectUid);
      hasten(queues);
      const strayed = strayedFrom(records, coredumps);
      strayed.changed.forEach(changed);
      strayed.gone.forEach(gone);
    },
    changed: ({ spec }) => changed(spec.id ?? ""),
    deleted: ({ spec, metadata }) => {
      deleted.add(metadata.uid);
      if (deleted.size > MOST_DELETED) deleted.delete(deleted.values().next().value ?? "");
      gone(spec.id ?? "");
    },
  };
}

/**
 * Whether the API is an older state of what it was: then its list is older than something that it had reported. To be asked
 * at the first list after an outage, because versions grow again from there, and by our own writes, too.
 */
const isRestored = (records: readonly Binding[], version: string): boolean =>
  records.some(({ cluster }) => cluster && !isNotOlder(version, cluster.resourceVersion));

/** Dumps whose object is not what their record saw last: what no watch has reported while there was none. */
export function strayedFrom(records: readonly Binding[], coredumps: readonly Coredump[]) {
  const states = new Map(coredumps.map(({ spec, status }) => [spec.id, status?.state]));
  const bound = records.filter(({ cluster }) => cluster !== null);
  const isChanged = (record: Binding) => states.get(record.id) !== stateInApi(record, states.get(record.id));
  return {
    changed: bound.filter((record) => states.has(record.id) && isChanged(record)).map(idOf),
    gone: bound.filter(({ id, state }) => !states.has(id) && !isGone(state)).map(idOf), // of those the record goes on saying why,
  };
}

const idOf = ({ id }: Binding): string => id;
