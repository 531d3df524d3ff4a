/** Options of the API server, declared like those of a node (options.ts). Some are its predecessor's. */
import { AGENT_OPTIONS } from "./cluster-options.ts";
import { NODE_OPTIONS, type Option, type Values } from "./options.ts";
import { STORAGE_OPTIONS } from "./storage-options.ts";
import { STORE_OPTIONS } from "./store-options.ts";

/** Of the store's, what a reader needs: all but those for writing. */
const { s3Sse, s3KmsKey, s3StorageClass, uploadBytesPerS, ...READER_OPTIONS } = STORE_OPTIONS;

export const APISERVER_OPTIONS = {
  kubeconfig: { ...NODE_OPTIONS.kubeconfig, describe: "kubeconfig (default: the service account of the pod)" },
  verbosity: NODE_OPTIONS.verbosity,
  certFile: {
    flag: "tls-cert-file",
    kind: "text",
    describe: "PEM file of the server's certificate; read again when it changes",
  },
  keyFile: { flag: "tls-private-key-file", kind: "text", describe: "PEM file of its key" },
  bindAddress: { flag: "bind-address", kind: "text", default: "::", describe: "address to listen on" },
  port: { flag: "secure-port", kind: "integer", default: "8443", describe: "port to listen on; 0: any free one" },
  downloadsPerUser: {
    flag: "downloads-per-user",
    kind: "integer",
    min: 1,
    default: "16",
    describe: "how many downloads a user may run at once; more are answered with 429",
  },
  graceMs: { ...AGENT_OPTIONS.graceMs, describe: "how long downloads may go on after SIGTERM" },
} as const satisfies Record<string, Option>;

/** The predecessor's options for where the bundles are. */
export const BACKEND_OPTIONS = {
  backendKind: {
    flag: "backend-kind",
    kind: ["local", "aws"],
    describe: "kind of the store: a directory, or S3; instead of --store",
  },
  localPath: { flag: "local-path", kind: "text", describe: "with --backend-kind local: the directory" },
  awsHost: { flag: "aws-host", kind: "text", describe: "with --backend-kind aws: as --s3-endpoint" },
  awsRegion: { flag: "aws-region", kind: "text", describe: "with --backend-kind aws: as --s3-region" },
  awsBucket: { flag: "aws-bucket", kind: "text", describe: "with --backend-kind aws: the bucket, with its prefix" },
  awsAccessKey: {
    flag: "aws-access-key",
    kind: "text",
    describe: "with --backend-kind aws: the key's id (other users can see it: prefer --s3-credentials-dir)",
  },
  awsSecretKey: {
    flag: "aws-secret-key",
    kind: "text",
    describe: "with --backend-kind aws: the secret key (see --aws-access-key)",
  },
} as const satisfies Record<string, Option>;

export const APISERVER_FLAGS = { ...APISERVER_OPTIONS, ...STORAGE_OPTIONS, ...READER_OPTIONS, ...BACKEND_OPTIONS };

export type ApiserverSettings = Values<typeof APISERVER_FLAGS>;
