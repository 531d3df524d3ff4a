/** Options of the collector, declared like those of a node (options.ts). */
import { BACKEND_OPTIONS } from "./apiserver-options.ts";
import { AGENT_OPTIONS, CONTROLLER_OPTIONS } from "./cluster-options.ts";
import { NODE_OPTIONS, type Option, type Values } from "./options.ts";
import { STORE_OPTIONS } from "./store-options.ts";

const { s3StorageClass: _, uploadBytesPerS: __, ...STORE } = STORE_OPTIONS;

/** What stays, and for how long. */
export const RETENTION_OPTIONS = {
  podGoneMs: {
    flag: "gc-threshold",
    kind: "duration",
    default: "24h",
    describe: "how long the bundles and the endpoint of a deleted pod stay",
  },
  maxAgeMs: {
    flag: "max-age",
    kind: "duration",
    default: "30d",
    describe: "how long any bundle and its Coredump stay; 0s: for ever",
  },
  namespaceBytes: {
    flag: "max-namespace-size",
    kind: "bytes",
    describe:
      "how much the bundles of one namespace may use in the store; the oldest are removed first (default: no limit)",
  },
  orphanMs: {
    flag: "orphan-grace",
    kind: "duration",
    default: "1h",
    describe: "how long a bundle without a Coredump stays (its node may register it again)",
  },
  uploadMs: {
    flag: "upload-grace",
    kind: "duration",
    default: "24h",
    describe: "how long an unfinished upload stays when nothing continues it",
  },
  hostMs: {
    flag: "host-max-age",
    kind: "duration",
    default: "30d",
    describe: "how long bundles of host processes stay; 0s: for ever",
  },
  dockerMs: {
    flag: "docker-max-age",
    kind: "duration",
    default: "30d",
    describe: "how long bundles of containers without a pod stay; 0s: for ever",
  },
  restrictedMs: {
    flag: "restricted-max-age",
    kind: "duration",
    default: "7d",
    describe: "how long bundles of processes that were not dumpable stay; 0s: for ever",
  },
} as const satisfies Record<string, Option>;

/** The collector's own. */
export const COLLECTOR_OPTIONS = {
  kubeconfig: NODE_OPTIONS.kubeconfig,
  verbosity: NODE_OPTIONS.verbosity,
  systemNamespace: AGENT_OPTIONS.systemNamespace,
  metricsPort: AGENT_OPTIONS.metricsPort,
  leaseMs: CONTROLLER_OPTIONS.leaseMs,
  ...RETENTION_OPTIONS,
  maxShare: {
    flag: "max-share",
    kind: "percent",
    default: "50",
    describe:
      "share of all bundles that may go because their objects are missing; if more would, none goes and there is an alarm",
  },
  maxAtOnce: {
    flag: "max-at-once",
    kind: "integer",
    default: "20",
    describe: "how many may go whatever their share is",
  },
  intervalMs: { flag: "interval", kind: "duration", default: "10m", describe: "how often to compare everything" },
  dryRun: {
    flag: "dry-run",
    kind: "switch",
    default: "false",
    describe: "print what would be done now, once, and change nothing",
  },
} as const satisfies Record<string, Option>;

/** What of the store's the collector needs, and the predecessor's words for it. */
export const GC_OPTIONS = {
  ...COLLECTOR_OPTIONS,
  ...STORE,
  ...BACKEND_OPTIONS,
};

export type GcSettings = Values<typeof GC_OPTIONS>;
