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
    describe: "how long bundles and endpoint of a deleted pod stay",
  },
  maxAgeMs: {
    flag: "max-age",
    kind: "duration",
    default: "30d",
    describe: "how long any bundle, and its Coredump, stays; 0s: for ever",
  },
  namespaceBytes: {
    flag: "max-namespace-size",
    kind: "bytes",
    describe: "what the bundles of one namespace may take in the store; the oldest give way (default: no limit)",
  },
  orphanMs: {
    flag: "orphan-grace",
    kind: "duration",
    default: "1h",
    describe: "how long a bundle without a Coredump stays: its node may register it again",
  },
  uploadMs: {
    flag: "upload-grace",
    kind: "duration",
    default: "24h",
    describe: "how long an upload that nobody goes on with stays",
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
    describe: "how long bundles of containers of no pod stay; 0s: for ever",
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
    describe: "share of all bundles beyond which none goes that vanished without an order, but an alarm is raised",
  },
  maxAtOnce: {
    flag: "max-at-once",
    kind: "integer",
    default: "20",
    describe: "so many may go whatever share they are",
  },
  intervalMs: { flag: "interval", kind: "duration", default: "10m", describe: "how often everything is compared" },
  dryRun: {
    flag: "dry-run",
    kind: "switch",
    default: "false",
    describe: "only print what would be done now, once",
  },
} as const satisfies Record<string, Option>;

/** What of the store's the collector needs, and the predecessor's words for it. */
export const GC_OPTIONS = {
  ...COLLECTOR_OPTIONS,
  ...STORE,
  ...BACKEND_OPTIONS,
};

export type GcSettings = Values<typeof GC_OPTIONS>;
