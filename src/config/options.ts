/**
 * Every option, declared once: its flag, its default, the key in `settings.json`, what it means. The kernel-argument
 * parser, yargs, the help text and docs/options.md all derive from here.
 *
 * `flag` is the long name as the user writes it (the predecessors' spelling where there was one), `short` the letter.
 * Only options with `settings: true` may stand in settings.json, under `flag`.
 */
type OptionKind = "text" | "integer" | "bytes" | "percent" | "duration" | "switch" | readonly string[];

export interface Option {
  readonly flag: string;
  readonly short?: string;
  readonly kind: OptionKind;
  /** As the user would write it. */
  readonly default?: string;
  readonly settings?: true;
  /** Environment variable that counts where the flag is not given. Only those that are named here are read. */
  readonly env?: string;
  /** Least whole number that makes sense, where that is not 0. */
  readonly min?: number;
  readonly describe: string;
}

/** What the kernel passes: core(5) specifiers. None of them is trusted more than /proc says. */
export const KERNEL_OPTIONS = {
  hostPid: { flag: "hostPid", short: "P", kind: "integer", min: 1, describe: "%P: pid in the initial pid namespace" },
  containerPid: {
    flag: "containerPid",
    short: "p",
    kind: "integer",
    describe: "%p: pid in the process's own namespace",
  },
  threadName: { flag: "filename", short: "e", kind: "text", describe: "%e: comm of the crashing thread" },
  time: { flag: "time", short: "t", kind: "integer", describe: "%t: seconds since the epoch" },
  signal: { flag: "signal", short: "s", kind: "integer", describe: "%s: number of the signal" },
  hostTid: {
    flag: "hostTid",
    short: "T",
    kind: "integer",
    describe: "%I: crashing thread in the initial pid namespace",
  },
  uid: { flag: "uid", short: "u", kind: "integer", describe: "%u: real uid in the initial user namespace" },
  gid: { flag: "gid", short: "g", kind: "integer", describe: "%g: real gid in the initial user namespace" },
  dumpable: { flag: "dumpable", short: "D", kind: "integer", describe: "%d: dump mode; 1: an ordinary process" },
  coreLimit: { flag: "coreLimit", short: "l", kind: "text", describe: "%c: soft RLIMIT_CORE in bytes" },
  pidfd: { flag: "pidfd", short: "F", kind: "integer", describe: "%F: number of the inherited pidfd (Linux 6.16)" },
} as const satisfies Record<string, Option>;

/** Where things are: for every role that runs on a node. */
export const NODE_OPTIONS = {
  dumpDir: {
    flag: "dump-dir",
    short: "d",
    kind: "text",
    default: "/var/coredump",
    settings: true,
    describe: "directory of the node's cache",
  },
  logDir: { flag: "log_dir", kind: "text", settings: true, describe: "directory for the handler's log file" },
  verbosity: {
    flag: "v",
    kind: "integer",
    default: "0",
    settings: true,
    describe: "log verbosity; 10 shows stack traces",
  },
  kubeconfig: { flag: "kubeconfig", short: "c", kind: "text", settings: true, describe: "kubeconfig of the cluster" },
  nodeName: {
    flag: "node-name",
    kind: "text",
    settings: true,
    describe: "name of this node (default: the host's name)",
  },
  criEndpoint: {
    flag: "cri-endpoint",
    kind: "text",
    settings: true,
    describe: "CRI socket (default: all known ones that exist)",
  },
  dockerHost: {
    flag: "docker-host",
    kind: "text",
    settings: true,
    describe: "Docker's address (default: all known sockets that exist)",
  },
} as const satisfies Record<string, Option>;

/** How a core is taken and what may be kept. */
export const CAPTURE_OPTIONS = {
  mode: {
    flag: "mode",
    kind: ["pipe", "file"],
    default: "pipe",
    settings: true,
    describe:
      "what writes cores: the handler (pipe), or the kernel alone (file; docs/operations.md lists what that cannot do)",
  },
  filePattern: {
    flag: "file-pattern",
    kind: "text",
    default: "/var/coredump/core_%e_%t_%P",
    settings: true,
    describe: "core_pattern of --mode=file",
  },
  capture: {
    flag: "capture",
    kind: ["auto", "drain", "direct"],
    default: "auto",
    settings: true,
    describe: "how to copy: from the pipe, or from the process's memory",
  },
  crash: {
    flag: "crash",
    kind: ["off", "stack", "full"],
    default: "full",
    settings: true,
    describe:
      "how much to find out about why a process crashed: nothing, the crashed thread's stack, or all threads' stacks",
  },
  maxDumpBytes: {
    flag: "max-dump-size",
    kind: "bytes",
    default: "32Gi",
    settings: true,
    describe: "largest dump to keep, in bytes on disk (holes not counted)",
  },
  cacheShare: {
    flag: "cache-share",
    kind: "percent",
    default: "20",
    settings: true,
    describe: "share of the file system that the cache may take",
  },
  cacheBytes: {
    flag: "cache-size",
    kind: "bytes",
    settings: true,
    describe: "largest size of the cache, if that is less than --cache-share",
  },
  namespaceShare: {
    flag: "namespace-share",
    kind: "percent",
    default: "50",
    settings: true,
    describe:
      "share of the cache that one namespace may use while others use it too; beyond it, its own oldest cores go first",
  },
  freeShare: {
    flag: "free-share",
    kind: "percent",
    default: "15",
    settings: true,
    describe: "share of the file system that stays free",
  },
  maxDumps: {
    flag: "max-dumps",
    kind: "integer",
    min: 1,
    default: "16",
    settings: true,
    describe: "how many dumps to capture at once; further ones wait, with their process held",
  },
  slotWaitMs: {
    flag: "slot-wait",
    kind: "duration",
    default: "30s",
    settings: true,
    describe: "how long a dump waits for its turn; then it is captured anyway",
  },
  lookupMs: {
    flag: "lookup-timeout",
    kind: "duration",
    default: "1s",
    settings: true,
    describe: "how long identification may hold the process after the copy",
  },
  rlimit: {
    flag: "rlimit",
    kind: ["ignore", "honour"],
    default: "ignore",
    settings: true,
    describe: "what RLIMIT_CORE 0 means: nothing (container engines often set it), or that no core is wanted",
  },
  host: {
    flag: "host",
    kind: ["keep", "ignore", "chain"],
    settings: true,
    describe:
      "crashes outside containers: keep, ignore, or chain to the former handler (default: chain if there was one, else keep)",
  },
  environ: {
    flag: "environ",
    kind: "switch",
    default: "false",
    settings: true,
    describe: "also keep the process's environment, which often contains secrets",
  },
  logLines: {
    flag: "log-lines",
    kind: "integer",
    default: "500",
    settings: true,
    describe: "how many of the last lines of the container's log to keep",
  },
} as const satisfies Record<string, Option>;

type OptionValue<K> = K extends "text"
  ? string
  : K extends "integer" | "percent" | "duration"
    ? number
    : K extends "bytes"
      ? bigint
      : K extends "switch"
        ? boolean
        : K extends readonly (infer Choice)[]
          ? Choice
          : never;

/** What a set of options parses to: the ones with a default are always there. */
export type Values<T extends Record<string, Option>> = {
  readonly [K in keyof T as T[K] extends { default: string } ? K : never]: OptionValue<T[K]["kind"]>;
} & {
  readonly [K in keyof T as T[K] extends { default: string } ? never : K]?: OptionValue<T[K]["kind"]> | undefined;
};

export type KernelArguments = Values<typeof KERNEL_OPTIONS>;
export type NodeSettings = Values<typeof NODE_OPTIONS>;
export type CaptureSettings = Values<typeof CAPTURE_OPTIONS>;
export type HandlerSettings = NodeSettings & CaptureSettings;
