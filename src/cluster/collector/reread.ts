/** A second look before anything is removed: a watch may be late, and what it has not delivered yet may be wanted. */

import { type Coredump, coredumpsIn } from "../../kube/coredump.ts";
import { ifThere } from "../../kube/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { type Kind, list } from "../../kube/informer.ts";
import { collection, type KubeObject, member } from "../../kube/objects.ts";
import type { RecordView, RetentionWorld } from "../policy/retention-world.ts";
import { DUMPS, type GcCluster, PODS } from "./cluster.ts";
import { namespaceView, recordView } from "./views.ts";

/** The world, with these namespaces, their pods and their Coredumps as the API server has them now. @throws DumpError API_… */
export async function reread(
  http: KubeHttp,
  cluster: GcCluster,
  world: RetentionWorld,
  namespaces: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<RetentionWorld> {
  const [known, pods, records] = [new Map(world.namespaces), new Set(world.pods), [] as RecordView[]];
  for (const name of namespaces) {
    const namespace = await namespaceNow(http, name, signal);
    known.delete(name);
    if (!namespace) continue;
    known.set(name, namespaceView(namespace));
    for (const pod of await listNow(http, { ...PODS, path: collection("v1", "pods", name) }, signal))
      pods.add(pod.metadata.uid);
    const dumps = { ...DUMPS, path: coredumpsIn(name) };
    for (const object of await listNow<Coredump>(http, dumps, signal)) {
      cluster.records.put(object);
      records.push(recordView(object));
    }
  }
  const others = world.records.filter(({ namespace }) => !namespaces.has(namespace));
  return { ...world, namespaces: known, pods, records: [...others, ...records] };
}

async function namespaceNow(http: KubeHttp, name: string, signal: AbortSignal): Promise<KubeObject | undefined> {
  const path = member("v1", "namespaces", name);
  return await ifThere(http.json<KubeObject>({ verb: "get", resource: "namespaces", path, signal }));
}

async function listNow<O extends KubeObject>(http: KubeHttp, kind: Kind, signal: AbortSignal): Promise<O[]> {
  const objects: O[] = [];
  await list<O>(http, kind, { listed: (object) => objects.push(object), listEnded: () => undefined }, signal);
  return objects;
}
