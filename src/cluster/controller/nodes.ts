/** Labels the nodes whose agents are alive, as their Leases say: no agent may write a node. */
import { performance } from "node:perf_hooks";
import { type KubeHttp, MERGE_PATCH } from "../../kube/http.ts";
import type { Kind } from "../../kube/informer.ts";
import type { Lease } from "../../kube/lease.ts";
import { Mirror, type Mirrored } from "../../kube/mirror.ts";
import { collection, type KubeObject, member } from "../../kube/objects.ts";
import { AGENT_LEASE, LABELLED_BY, labelChange, NODE_LABEL, type NodeLabels } from "../policy/node-label.ts";
import { UNINSTALL_LEASE } from "../policy/retirement.ts";

/** Only their metadata: a node's status names every image that it has. */
export const NODES: Kind = { resource: "nodes", path: collection("v1", "nodes"), metadataOnly: true };

interface NodeView extends Mirrored, NodeLabels {}

interface LeaseView extends Mirrored {
  /** When we saw it renewed, by our own clock. */
  readonly seenMs: number;
  readonly durationMs: number;
}

/** A missed renewal or two does not mean that it is dead. */
const PATIENCE = 3;
const DURATION_S = 40;

export class NodeKeeper {
  readonly nodes: Mirror<KubeObject, NodeView>;
  readonly leases: Mirror<Lease, LeaseView>;
  readonly #http: KubeHttp;
  readonly #namespace: string;

  /** @param namespace  of the agents. @param onChange  gets the name of a node that should be looked at */
  constructor(http: KubeHttp, namespace: string, onChange: (node: string) => void) {
    this.#http = http;
    this.#namespace = namespace;
    this.nodes = new Mirror(nodeView, (_, name) => onChange(name));
    this.leases = new Mirror(leaseView, (_, name) => {
      if (name.startsWith(AGENT_LEASE)) onChange(name.slice(AGENT_LEASE.length));
      if (name === UNINSTALL_LEASE) for (const node of this.nodes.in("")) onChange(node.name);
    });
  }

  /** @returns what was done, and in how many milliseconds to look again (undefined: when something changes) */
  async keep(name: string, signal: AbortSignal): Promise<{ labelled?: boolean; againMs?: number }> {
    const node = this.nodes.get("", name);
    if (!node) return {};
    const leftMs = this.#leftMs(`${AGENT_LEASE}${name}`, PATIENCE);
    const uninstallMs = this.#leftMs(UNINSTALL_LEASE, 1);
    const isServed = leftMs > 0 && uninstallMs <= 0;
    const change = labelChange(node, isServed);
    if (change) {
      const { uid, resourceVersion } = node;
      const body = { metadata: { uid, resourceVersion, ...change } };
      const patch = { verb: "patch", resource: "nodes", path: member("v1", "nodes", name), body, signal } as const;
      this.nodes.put(await this.#http.json<KubeObject>({ ...patch, contentType: MERGE_PATCH }));
    }
    return {
      ...(change && { labelled: isServed }),
      ...(leftMs > 0 && { againMs: (isServed ? leftMs : uninstallMs) + 1 }),
    };
  }

  #leftMs(lease: string, durations: number): number {
    const { seenMs, durationMs } = this.leases.get(this.#namespace, lease) ?? { seenMs: 0, durationMs: 0 };
    return seenMs + durationMs * durations - performance.now();
  }
}

function nodeView({ metadata }: KubeObject): NodeView {
  const { name, uid, resourceVersion, labels, annotations } = metadata;
  return { name, namespace: "", uid, resourceVersion, ...labelsOfOurs(labels, annotations) };
}

/** The two that matter, of dozens. */
function labelsOfOurs(labels: NodeLabels["labels"] = {}, annotations: NodeLabels["annotations"] = {}): NodeLabels {
  const only = (all: Readonly<Record<string, string>>, key: string) =>
    all[key] === undefined ? {} : { [key]: all[key] };
  return { labels: only(labels, NODE_LABEL), annotations: only(annotations, LABELLED_BY) };
}

function leaseView({ metadata, spec }: Lease): LeaseView {
  const { name, namespace = "", uid, resourceVersion } = metadata;
  const durationMs = (spec?.leaseDurationSeconds ?? DURATION_S) * 1000;
  return { name, namespace, uid, resourceVersion, seenMs: performance.now(), durationMs };
}
