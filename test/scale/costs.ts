/** What a storm costs the cluster: requests as kube-apiserver counts them, etcd's file, processor time and memory. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { KubeHttp } from "../../src/kube/http.ts";
import { cpuMs } from "../bench/idle.ts";
import type { Cluster } from "../support/cluster.ts";

/** Kinds that nobody but us and the namespaces' own controllers touches while a storm lasts. */
const OURS = new Set([
  "coredumps",
  "coredumpquotas",
  "events",
  "leases",
  "pods",
  "namespaces",
  "customresourcedefinitions",
]);

export interface Reading {
  /** `create coredumps`, `update coredumps/status`, …, `renewal leases`: how many until now. */
  readonly requests: ReadonlyMap<string, number>;
  readonly etcdBytes: number;
  readonly cpuMs: Readonly<Record<"apiserver" | "etcd" | "controller", number>>;
}

export async function read(cluster: Cluster, http: KubeHttp, controllerPid: number): Promise<Reading> {
  const body = await http.stream({ verb: "get", resource: "metrics", path: "/metrics" });
  const metrics = await text(body);
  const cpuOf = (part: string) => cpuMs(Number(readFileSync(join(cluster.folder, `${part}.pid`), "utf8")));
  return {
    requests: requestsIn(metrics),
    etcdBytes: Number(/^apiserver_storage_size_bytes\{[^}]*\} (\S+)/m.exec(metrics)?.[1] ?? Number.NaN),
    cpuMs: { apiserver: cpuOf("apiserver"), etcd: cpuOf("etcd"), controller: cpuMs(controllerPid) },
  };
}

function requestsIn(metrics: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [, labels = "", count] of metrics.matchAll(/^apiserver_request_total\{([^}]*)\} (\S+)/gm)) {
    const {
      verb = "",
      resource = "",
      subresource = "",
    } = Object.fromEntries(
      [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
    ) as Record<"verb" | "resource" | "subresource", string | undefined>;
    if (!OURS.has(resource) || verb === "WATCH") continue;
    const what = `${WORDS[verb] ?? verb} ${resource}${subresource && `/${subresource}`}`;
    sums.set(what, (sums.get(what) ?? 0) + Number(count));
  }
  return sums;
}

/** As RBAC calls them. */
const WORDS: Readonly<Record<string, string>> = {
  ...{ GET: "get", LIST: "list", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" },
};

/** What came between two readings, for each of `by` dumps or seconds. */
export function between(before: Reading, after: Reading, by: number) {
  const each = [...after.requests].map(([what, count]) => [what, (count - (before.requests.get(what) ?? 0)) / by]) as [
    string,
    number,
  ][];
  const shown = each.filter(([, count]) => count >= 0.005).sort(([, a], [, b]) => b - a);
  const cpu = (part: keyof Reading["cpuMs"]) => round((after.cpuMs[part] - before.cpuMs[part]) / by);
  return {
    requests: Object.fromEntries(shown.map(([what, count]) => [what, round(count)])),
    allRequests: round(shown.reduce((sum, [, count]) => sum + count, 0)),
    etcdBytes: Math.round((after.etcdBytes - before.etcdBytes) / by),
    cpuMs: { apiserver: cpu("apiserver"), etcd: cpu("etcd"), controller: cpu("controller") },
  };
}

export const round = (value: number): number => Math.round(value * 100) / 100;
