/** Options of the roles that work with a cluster, declared like those of a node (options.ts). */
import { type HandlerSettings, NODE_OPTIONS, type Option, type Values } from "./options.ts";
import type { StoreSettings } from "./store-options.ts";

/** The cluster that a node belongs to: for the parts that register dumps there. */
export const CLUSTER_OPTIONS = {
  admission: {
    flag: "admission",
    kind: ["quota", "all"],
    default: "quota",
    describe:
      "quota: the controller decides by the quotas; all: every dump is allowed (for clusters without the controller)",
  },
  namespaceDiskBytes: {
    flag: "namespace-disk-quota",
    kind: "bytes",
    env: "NS_DISK_QUOTA",
    describe:
      "how much the dumps of one namespace may use on this node; 0: no dumps (default: only the cache's limits)",
  },
} as const satisfies Record<string, Option>;

/** The agent's own. */
export const AGENT_OPTIONS = {
  uploads: { flag: "uploads", kind: "integer", min: 1, default: "2", describe: "how many uploads run at once" },
  metricsPort: {
    flag: "metrics-port",
    kind: "integer",
    default: "9099",
    describe: "port for /metrics, /healthz, /readyz; 0: none",
  },
  systemNamespace: {
    flag: "namespace",
    kind: "text",
    env: "POD_NAMESPACE",
    default: "coredump-system",
    describe: "namespace of coredump-detector itself, where its Leases are",
  },
  keepRecordsMs: {
    flag: "keep-records",
    kind: "duration",
    default: "30d",
    describe: "how long records without a core stay on the node",
  },
  storeGroup: {
    flag: "store-group",
    kind: "integer",
    describe: "group that gets a directory store: the group of API server and collector (default: unchanged)",
  },
  kubeletRoot: {
    flag: "kubelet-root",
    kind: "text",
    default: "/var/lib/kubelet",
    describe: "the kubelet's --root-dir; cores reach their pods' own volumes through the mounts in it",
  },
  deliveryMs: {
    flag: "delivery-wait",
    kind: "duration",
    default: "10m",
    describe: "how long to try to deliver a core into its pod's own volume",
  },
  graceMs: { flag: "grace", kind: "duration", default: "20s", describe: "how long uploads may go on after SIGTERM" },
} as const satisfies Record<string, Option>;

/** An agent that puts the handler on its node itself, as in a pod; without --bin-dir an admin does (`install`). */
export const HOST_OPTIONS = {
  binDir: {
    flag: "bin-dir",
    kind: "text",
    describe: "node directory to install the handler into, and make the kernel call it (default: `install` did that)",
  },
  hostRoot: {
    flag: "host-root",
    kind: "text",
    describe: "where the node's root directory is mounted (default: /)",
  },
  onConflict: {
    flag: "on-conflict",
    kind: ["report", "retake"],
    default: "report",
    describe: "when another program changes core_pattern: only report it, or also set it again",
  },
  daemonset: {
    flag: "daemonset",
    kind: "text",
    describe: "DaemonSet whose pod this is: once it is deleted, SIGTERM gives the node back (default: it never does)",
  },
  retireMs: {
    flag: "retire-wait",
    kind: "duration",
    default: "1m",
    describe: "how long uploads may go on after that",
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
    describe:
      "how many Coredumps without a core a namespace may have; beyond it, older ones are only counted in younger ones",
  },
  leaseMs: {
    flag: "lease-duration",
    kind: "duration",
    default: "15s",
    describe: "how long a leader that does not renew its Lease stays the leader",
  },
  watchApiService: {
    flag: "watch-apiservice",
    kind: "switch",
    default: "false",
    describe: "remove the aggregated API's APIService while its server is down, and restore it afterwards",
  },
  apiServiceGraceMs: {
    flag: "apiservice-grace",
    kind: "duration",
    default: "2m",
    describe: "how long that server may be down before its APIService is removed",
  },
} as const satisfies Record<string, Option>;

export type ClusterSettings = Values<typeof CLUSTER_OPTIONS>;
export type AgentSettings = HandlerSettings &
  ClusterSettings &
  StoreSettings &
  Values<typeof AGENT_OPTIONS> &
  Values<typeof HOST_OPTIONS>;
export type ControllerSettings = Values<typeof CONTROLLER_OPTIONS>;
