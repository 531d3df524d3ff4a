/** Options of the roles that work with a cluster, declared like those of a node (options.ts). */
import { type HandlerSettings, NODE_OPTIONS, type Option, type Values } from "./options.ts";
import type { StoreSettings } from "./store-options.ts";

/** The cluster that a node belongs to: for whoever registers dumps there. */
export const CLUSTER_OPTIONS = {
  admission: {
    flag: "admission",
    kind: ["quota", "all"],
    default: "quota",
    describe: "who decides: the controller by the quotas, or the node allows all (where there is no controller)",
  },
  namespaceDiskBytes: {
    flag: "namespace-disk-quota",
    kind: "bytes",
    env: "NS_DISK_QUOTA",
    describe: "what the dumps of one namespace may hold on this node; 0: no dumps (default: no limit of its own)",
  },
} as const satisfies Record<string, Option>;

/** The agent's own. */
export const AGENT_OPTIONS = {
  uploads: { flag: "uploads", kind: "integer", min: 1, default: "2", describe: "uploads at once" },
  metricsPort: {
    flag: "metrics-port",
    kind: "integer",
    default: "9099",
    describe: "port of /metrics, /healthz, /readyz; 0: none",
  },
  systemNamespace: {
    flag: "namespace",
    kind: "text",
    env: "POD_NAMESPACE",
    default: "coredump-system",
    describe: "namespace of our own parts, where the node's Lease is",
  },
  keepRecordsMs: {
    flag: "keep-records",
    kind: "duration",
    default: "30d",
    describe: "how long records of dumps that hold nothing stay on the node",
  },
  storeGroup: {
    flag: "store-group",
    kind: "integer",
    describe: "group that a directory store is given to, of those who serve and collect (default: as it is)",
  },
  kubeletRoot: {
    flag: "kubelet-root",
    kind: "text",
    default: "/var/lib/kubelet",
    describe: "the kubelet's --root-dir, by whose mounts cores get into their pods' own claims",
  },
  deliveryMs: {
    flag: "delivery-wait",
    kind: "duration",
    default: "10m",
    describe: "how long a core is kept for a pod's own claim that does not take it",
  },
  graceMs: {
    flag: "grace",
    kind: "duration",
    default: "20s",
    describe: "how long an upload may go on behind SIGTERM",
  },
} as const satisfies Record<string, Option>;

/** An agent that puts the handler on its node itself, as in a pod; without --bin-dir an admin does (`install`). */
export const HOST_OPTIONS = {
  binDir: {
    flag: "bin-dir",
    kind: "text",
    describe:
      "directory of the node to put the handler in; the kernel is made to call it (default: `install` did that)",
  },
  hostRoot: {
    flag: "host-root",
    kind: "text",
    describe: "where the node's root directory is mounted (default: this is it)",
  },
  onConflict: {
    flag: "on-conflict",
    kind: ["report", "retake"],
    default: "report",
    describe: "when somebody else sets core_pattern: only say so, or set it again as well",
  },
} as const satisfies Record<string, Option>;

/** The controller's own. */
export const CONTROLLER_OPTIONS = {
  kubeconfig: NODE_OPTIONS.kubeconfig,
  verbosity: NODE_OPTIONS.verbosity,
  systemNamespace: AGENT_OPTIONS.systemNamespace,
  metricsPort: AGENT_OPTIONS.metricsPort,
  maxRecords: {
    flag: "max-records",
    kind: "integer",
    min: 1,
    default: "200",
    describe: "Coredumps without storage that a namespace may have; older ones are counted by younger ones",
  },
  leaseMs: {
    flag: "lease-duration",
    kind: "duration",
    default: "15s",
    describe: "how long one that says nothing stays the leader",
  },
  watchApiService: {
    flag: "watch-apiservice",
    kind: "switch",
    default: "false",
    describe: "take the aggregated API's APIService away while its server is down, and put it back",
  },
  apiServiceGraceMs: {
    flag: "apiservice-grace",
    kind: "duration",
    default: "2m",
    describe: "how long that server may be down before",
  },
} as const satisfies Record<string, Option>;

export type ClusterSettings = Values<typeof CLUSTER_OPTIONS>;
export type AgentSettings = HandlerSettings &
  ClusterSettings &
  StoreSettings &
  Values<typeof AGENT_OPTIONS> &
  Values<typeof HOST_OPTIONS>;
export type ControllerSettings = Values<typeof CONTROLLER_OPTIONS>;
