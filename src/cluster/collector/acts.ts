/** What the collector's verdicts say as acts, in their order: first the Coredump says that the bundle goes, then it goes. */
import { type FailureCode, isCode } from "../../domain/failures.ts";
import { removeCoredump } from "../../kube/coredump.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { collection, ENDPOINT_API, member } from "../../kube/objects.ts";
import type { BundleStore } from "../../store/ports/bundle-store.ts";
import type { Verdicts } from "../policy/retention-world.ts";
import { markDeleted, markFound, markMissing } from "../retention/coredumps.ts";
import type { UploadToAbort } from "../retention/inventory.ts";
import type { GcCluster } from "./cluster.ts";

export interface Act {
  readonly verb: "remove" | "mark" | "create";
  readonly what: "bundle" | "coredump" | "endpoint" | "upload";
  readonly name: string;
  readonly why: string;
  /** When one act on a dump fails, those after it are left to the next round; "" is none. */
  readonly dump: string;
  readonly sizeBytes?: number;
  run(signal: AbortSignal): Promise<void>;
}

export interface Tools {
  readonly http: KubeHttp;
  readonly store: BundleStore;
  readonly cluster: GcCluster;
}

export function actsOf(verdicts: Verdicts, uploads: readonly UploadToAbort[], tools: Tools): Act[] {
  const records = recordActs(verdicts, tools);
  return [
    ...records.filter(({ verb }) => verb === "mark"),
    ...bundleActs(verdicts, tools),
    ...records.filter(({ verb }) => verb === "remove"),
    ...endpointActs(verdicts, tools),
    ...uploadActs(verdicts, uploads, tools),
  ];
}

function recordActs(verdicts: Verdicts, { http, store, cluster: { records } }: Tools): Act[] {
  return verdicts.records.flatMap(({ record, act, why }): Act | [] => {
    const seen = records.get(record.namespace, record.name);
    if (seen?.uid !== record.uid) return []; // gone meanwhile
    const common = { what: "coredump", name: `${record.namespace}/${record.name}`, dump: record.dump } as const;
    if (act === "delete")
      return {
        ...{ ...common, verb: "remove", why: why ?? "OverAge" },
        run: async (signal) => {
          await unlessGone(removeCoredump(http, seen, signal));
          records.remove(seen.namespace, seen.name, seen.uid);
        },
      };
    const mark = {
      markDeleted: (signal: AbortSignal) => markDeleted(http, seen, why ?? "AlreadyDeleted", signal),
      markMissing: (signal: AbortSignal) => markMissing(http, seen, store.volume, signal),
      markFound: (signal: AbortSignal) => markFound(http, seen, signal),
    }[act];
    const state = { markDeleted: why ?? "", markMissing: "BundleMissing", markFound: "BundleFound" }[act];
    return { ...common, verb: "mark", why: state, run: async (signal) => records.put(await mark(signal)) };
  });
}

const bundleActs = ({ bundles }: Verdicts, { store, cluster }: Tools): Act[] =>
  bundles.map(({ bundle: { key, dump, sizeBytes }, why }) => ({
    ...{ verb: "remove", what: "bundle", name: key, why, dump, sizeBytes },
    run: async (signal) => {
      await store.remove(key, signal);
      cluster.forget(dump);
    },
  }));

function endpointActs({ endpoints, newEndpoints }: Verdicts, { http }: Tools): Act[] {
  const resource = "coredumpendpoints";
  const removals = endpoints.map(({ endpoint: { namespace, name, uid }, why }): Act => {
    const path = member(ENDPOINT_API, resource, name, namespace);
    const body = { preconditions: { uid } };
    return {
      ...{ verb: "remove", what: "endpoint", name: `${namespace}/${name}`, why, dump: "" },
      run: (signal) => unlessGone(http.json({ verb: "delete", resource, path, body, signal })),
    };
  });
  const creations = newEndpoints.map(({ namespace, name, uid, endpoint }): Act => {
    const spec = { podname: name, poduid: uid };
    const body = { apiVersion: ENDPOINT_API, kind: "CoredumpEndpoint", metadata: { name: endpoint, namespace }, spec };
    const path = collection(ENDPOINT_API, resource, namespace);
    return {
      ...{ verb: "create", what: "endpoint", name: `${namespace}/${endpoint}`, why: "PodWantsIt", dump: "" },
      run: (signal) => unlessThere(http.json({ verb: "create", resource, path, body, signal })),
    };
  });
  return [...removals, ...creations];
}

function uploadActs(verdicts: Verdicts, uploads: readonly UploadToAbort[], { store }: Tools): Act[] {
  const lost = new Set(verdicts.uploads);
  return uploads
    .filter((each) => lost.has(each))
    .map(({ key, upload }) => ({
      ...{ verb: "remove", what: "upload", name: key, why: "NobodyGoesOn", dump: "" },
      run: (signal) => store.abort(upload, signal),
    }));
}

const unlessGone = (work: Promise<unknown>): Promise<void> => unless("NOT_FOUND", work);
const unlessThere = (work: Promise<unknown>): Promise<void> => unless("API_CONFLICT", work);

async function unless(code: FailureCode, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isCode(error, code)) throw error;
  }
}
