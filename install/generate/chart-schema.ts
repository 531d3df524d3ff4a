/** install/chart/values.schema.json: what each part may be told, out of the options' one declaration. */
import { APISERVER_OPTIONS } from "../../src/config/apiserver-options.ts";
import { AGENT_OPTIONS, CLUSTER_OPTIONS, CONTROLLER_OPTIONS, HOST_OPTIONS } from "../../src/config/cluster-options.ts";
import { GC_OPTIONS, RETENTION_OPTIONS } from "../../src/config/gc-options.ts";
import { CAPTURE_OPTIONS, NODE_OPTIONS, type Option } from "../../src/config/options.ts";
import { STORAGE_OPTIONS } from "../../src/config/storage-options.ts";
import { STORE_OPTIONS } from "../../src/config/store-options.ts";
import { expected } from "../../src/config/values.ts";
import { WEBHOOK_OPTIONS } from "../../src/config/webhook-options.ts";

type Schema = Readonly<Record<string, unknown>>;

const closed = (properties: Record<string, Schema>): Schema => ({
  type: "object",
  additionalProperties: false,
  properties,
});
const ANY: Schema = { type: "object" };
const TEXT: Schema = { type: "string" };
const LIST: Schema = { type: "array" };
const WORDS: Schema = { type: "object", additionalProperties: TEXT };
const REPLICAS: Schema = { type: "integer", minimum: 1 };
const SIZE: Schema = { type: ["string", "integer"] };
const SWITCH: Schema = { type: "boolean" };
/** `auto`: where it can work, that is with a store and the controller. */
const WANTED: Schema = { enum: [true, false, "auto"] };

/** What a flag may be in YAML, where 500 is no text; chart-values.ts looks closer. */
function schemaOf(option: Option): Schema {
  const description = `${option.describe} (${expected(option)})`;
  if (typeof option.kind !== "string") return { enum: [...option.kind], description };
  if (option.kind === "switch") return { type: "boolean", description };
  if (option.kind === "integer") return { type: "integer", minimum: option.min ?? 0, description };
  return { type: option.kind === "text" ? "string" : ["string", "integer"], description };
}

/** @param fixed  what the chart itself says */
function options(declared: readonly Readonly<Record<string, Option>>[], fixed: readonly Option[]): Schema {
  const flags = declared.flatMap((each) => Object.values(each)).filter((option) => !fixed.includes(option));
  const ours = new Set(fixed.map(({ flag }) => flag));
  return closed(
    Object.fromEntries(flags.filter(({ flag }) => !ours.has(flag)).map((option) => [option.flag, schemaOf(option)])),
  );
}

const PLACEMENT = {
  resources: ANY,
  nodeSelector: WORDS,
  tolerations: LIST,
  affinity: ANY,
  priorityClassName: TEXT,
  podAnnotations: WORDS,
  podLabels: WORDS,
  serviceAccountAnnotations: WORDS,
  extraEnv: LIST,
};

const { kubeconfig, nodeName, dumpDir } = NODE_OPTIONS;
const { systemNamespace, metricsPort } = AGENT_OPTIONS;
const { binDir, hostRoot, daemonset, retireMs } = HOST_OPTIONS;
const EVERYWHERE: readonly Option[] = [kubeconfig, systemNamespace, metricsPort];
const { store, s3CredentialsDir, uploadBytesPerS, ...ofStore } = STORE_OPTIONS;

/** Of every part of the chart; `options` are flags. */
const VALUES = closed({
  global: ANY,
  image: closed({ repository: TEXT, tag: TEXT, pullPolicy: { enum: ["Always", "IfNotPresent", "Never"] } }),
  imagePullSecrets: LIST,
  store: closed({
    url: TEXT,
    volume: ANY,
    claim: closed({ size: SIZE, storageClassName: TEXT }),
    credentialsSecret: TEXT,
    readerCredentialsSecret: TEXT,
    checkSecrets: SWITCH,
    options: options([ofStore], []),
  }),
  agent: closed({
    enabled: SWITCH,
    binDir: TEXT,
    dumpDir: TEXT,
    updateStrategy: ANY,
    seLinuxOptions: WORDS,
    options: options(
      [NODE_OPTIONS, CAPTURE_OPTIONS, CLUSTER_OPTIONS, AGENT_OPTIONS, HOST_OPTIONS, { uploadBytesPerS }],
      [...EVERYWHERE, nodeName, dumpDir, CLUSTER_OPTIONS.admission, binDir, hostRoot, daemonset, retireMs],
    ),
    ...PLACEMENT,
  }),
  controller: closed({
    enabled: SWITCH,
    replicas: REPLICAS,
    options: options([CONTROLLER_OPTIONS], EVERYWHERE),
    ...PLACEMENT,
  }),
  apiserver: closed({
    enabled: WANTED,
    replicas: REPLICAS,
    certificateSecret: TEXT,
    serviceName: { type: "string", pattern: "^[a-z]([-a-z0-9]*[a-z0-9])?$" },
    caBundle: TEXT,
    database: closed({ size: SIZE, storageClassName: TEXT }),
    options: options(
      [APISERVER_OPTIONS, { compaction: STORAGE_OPTIONS.etcdCompactionMs }],
      [...EVERYWHERE, APISERVER_OPTIONS.certFile, APISERVER_OPTIONS.keyFile, APISERVER_OPTIONS.port],
    ),
    ...PLACEMENT,
  }),
  etcd: closed({
    servers: TEXT,
    certificateSecret: TEXT,
    enabled: SWITCH,
    image: TEXT,
    volume: ANY,
    size: SIZE,
    storageClassName: TEXT,
    resources: ANY,
  }),
  gc: closed({
    enabled: WANTED,
    replicas: REPLICAS,
    options: options([RETENTION_OPTIONS, GC_OPTIONS], [...EVERYWHERE, ...Object.values(STORE_OPTIONS)]),
    ...PLACEMENT,
  }),
  webhook: closed({
    enabled: SWITCH,
    replicas: REPLICAS,
    certificate: { enum: ["self-signed", "secret", "cert-manager"] },
    certificateSecret: TEXT,
    issuer: closed({ kind: { enum: ["Issuer", "ClusterIssuer"] }, name: TEXT }),
    options: options(
      [WEBHOOK_OPTIONS],
      [
        ...EVERYWHERE,
        WEBHOOK_OPTIONS.certFile,
        WEBHOOK_OPTIONS.keyFile,
        WEBHOOK_OPTIONS.port,
        WEBHOOK_OPTIONS.selfSigned,
      ],
    ),
    ...PLACEMENT,
  }),
  quotas: { type: "object", additionalProperties: SIZE },
  retireWait: { type: ["string", "integer"] },
  hooks: closed({ startTimeout: { type: ["string", "integer"] } }),
  networkPolicy: closed({ enabled: SWITCH, metricsFrom: LIST, apiServerFrom: LIST }),
  debugImage: TEXT,
  serviceMonitor: closed({ enabled: SWITCH, labels: WORDS }),
  pvc: ANY,
  daemonset: ANY,
  composer: ANY,
});

/** The schema as text. */
export function chartSchema(): string {
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Values of the chart; generated by `npm run generate` from src/config",
    ...VALUES,
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
