/**
 * install/chart/files/values.json: what each value must look like, for the chart's checks, which name key, value and what is
 * expected, as a schema's patterns do not. The chart's template (_values.tpl) reads it.
 */

import { APISERVER_OPTIONS } from "../../src/config/apiserver-options.ts";
import { AGENT_OPTIONS, CLUSTER_OPTIONS, CONTROLLER_OPTIONS, HOST_OPTIONS } from "../../src/config/cluster-options.ts";
import { GC_OPTIONS } from "../../src/config/gc-options.ts";
import { CAPTURE_OPTIONS, NODE_OPTIONS, type Option } from "../../src/config/options.ts";
import { STORAGE_OPTIONS } from "../../src/config/storage-options.ts";
import { STORE_OPTIONS } from "../../src/config/store-options.ts";
import { WEBHOOK_OPTIONS } from "../../src/config/webhook-options.ts";
import { BINARY_NAME, PATTERN_MAX_BYTES, patternFor } from "../../src/node/kernel/core-pattern.ts";

interface Kind {
  /** Go's regular expressions (RE2). */
  readonly pattern: string;
  /** What matches the pattern, and is wrong all the same. */
  readonly but?: string;
  readonly expected: string;
  /** Of a value that may be left empty. */
  readonly optional?: true;
}

/** Of a kernel that has all specifiers, whose pattern is the longest. */
const BIN_DIR_BYTES = PATTERN_MAX_BYTES - patternFor(`/${BINARY_NAME}`, "7.0").length;

const NUMBER = "[0-9]{1,18}([.][0-9]{1,6})?";
/** A part of a path that is a name. */
const NAME = "[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*";
const DURATION = "([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,9}ms)?";
const PREFIX = "(/[!-~]*)?";
/** Of S3's rules for names of buckets; two dots in a row and addresses are `NO_BUCKET`. */
const BUCKET = "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]";
const NO_BUCKET = "[.][.]|^(s3://)?([0-9]+[.]){3}[0-9]+(/|$)|^(s3://)?xn--";
const BUCKET_WORDS = "3 to 63 lower-case letters, digits, dots and hyphens";
/** Where the kernel, or a mount there, would take the node along. */
const SYSTEM = "^/(proc|sys|dev|etc|boot|run|bin|sbin|lib|lib64|usr|root)?(/|$)";
const LOADS = "^/(proc|sys|dev)(/|$)";

const KINDS: Readonly<Record<string, Kind>> = {
  // With a B only behind Ki, Mi …: in 3GB nobody knows whether it is 3G or 3Gi.
  bytes: { pattern: `^${NUMBER}(k|M|G|T|P|E|(Ki|Mi|Gi|Ti|Pi|Ei)B?)?$`, expected: "a size such as 32Gi or 500M" },
  quantity: { pattern: `^${NUMBER}(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$`, expected: "a quantity such as 10Gi or 500M" },
  size: {
    pattern: `^${NUMBER}(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$`,
    expected: "a quantity such as 10Gi or 500M",
    optional: true,
  },
  duration: {
    pattern: `^${DURATION}$`,
    but: "^[0-9]*$",
    expected: "a duration with its unit, such as 30s, 15m, 24h or 30d",
  },
  percent: { pattern: "^(100|[0-9]{1,2})%?$", expected: "a percentage from 0 to 100" },
  binDir: {
    pattern: `^(/${NAME})+$`,
    but: `${LOADS}|^.{${BIN_DIR_BYTES + 1},}$`,
    expected: `a directory of the node, an absolute path of ${BIN_DIR_BYTES} bytes at the most (the kernel takes a core_pattern of ${PATTERN_MAX_BYTES}), such as /coredump`,
  },
  dumpDir: {
    pattern: `^(/${NAME})+$`,
    but: SYSTEM,
    expected: "a directory of the node for dumps alone, such as /var/coredump",
  },
  store: {
    pattern: `^((/${NAME})+|s3://${BUCKET}${PREFIX})$`,
    but: NO_BUCKET,
    expected: `a directory such as /store, or s3://BUCKET[/PREFIX] with a bucket's name of ${BUCKET_WORDS}`,
    optional: true,
  },
  /** With the bucket in the path: those that are old, or another service's, may have capitals and underscores. */
  storeInPath: {
    pattern: `^((/${NAME})+|s3://[A-Za-z0-9][A-Za-z0-9._-]{1,254}${PREFIX})$`,
    expected: "a directory such as /store, or s3://BUCKET[/PREFIX]",
    optional: true,
  },
  bucket: { pattern: `^${BUCKET}$`, but: NO_BUCKET, expected: `a bucket's name of ${BUCKET_WORDS}` },
  url: {
    pattern:
      "^https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[!-~]*)?$|^https?://[[][0-9a-fA-F:]+[]](:[0-9]{1,5})?(/[!-~]*)?$",
    expected: "a URL with its scheme, such as https://s3.example:9000",
  },
  urls: {
    pattern: "^https?://[^, ]+(,https?://[^, ]+)*$",
    expected: "URLs with their scheme, separated by commas: https://etcd-0:2379,https://etcd-1:2379",
    optional: true,
  },
  repository: {
    pattern: "^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$",
    expected: "an image's name without its tag, such as registry.example/coredump-detector",
  },
  tag: { pattern: "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", expected: "an image's tag, such as 1.0.0", optional: true },
};

const OPTIONS: Readonly<Record<string, readonly Readonly<Record<string, Option>>[]>> = {
  store: [STORE_OPTIONS],
  agent: [NODE_OPTIONS, CAPTURE_OPTIONS, CLUSTER_OPTIONS, AGENT_OPTIONS, HOST_OPTIONS, STORE_OPTIONS],
  controller: [CONTROLLER_OPTIONS],
  apiserver: [APISERVER_OPTIONS, STORAGE_OPTIONS],
  gc: [GC_OPTIONS],
  webhook: [WEBHOOK_OPTIONS],
};

const { s3Endpoint } = STORE_OPTIONS;

/** Of each flag whose form its type does not say. */
const optionKinds = Object.fromEntries(
  Object.entries(OPTIONS).flatMap(([part, declared]) =>
    declared.flatMap((options) =>
      Object.values(options).flatMap((option) => {
        const kind = option.flag === s3Endpoint.flag ? "url" : option.kind;
        return typeof kind === "string" && kind in KINDS ? [[`${part}.options.${option.flag}`, kind]] : [];
      }),
    ),
  ),
);

const VALUES: Readonly<Record<string, string>> = {
  "image.repository": "repository",
  "image.tag": "tag",
  "store.url": "store",
  "store.claim.size": "size",
  "agent.binDir": "binDir",
  "agent.dumpDir": "dumpDir",
  "apiserver.database.size": "size",
  "etcd.servers": "urls",
  "etcd.size": "quantity",
  retireWait: "duration",
  "hooks.startTimeout": "duration",
  // Predecessors' names.
  "pvc.bucketName": "bucket",
  "daemonset.s3BucketName": "bucket",
  "daemonset.hostDirectory": "binDir",
  "daemonset.coreDirectory": "dumpDir",
  "daemonset.NS_DISK_QUOTA": "bytes",
  ...optionKinds,
};

/** The file's text. */
export function chartValues(): string {
  return `${JSON.stringify({ kinds: KINDS, values: VALUES }, null, 2)}\n`;
}
