/** Options of the store: where bundles go. Keys are never given by a flag, because other users see flags. */
import type { Option, Values } from "./options.ts";

export const STORE_OPTIONS = {
  store: {
    flag: "store",
    kind: "text",
    env: "COREDUMP_STORE",
    describe:
      "where bundles go: a mounted directory, or s3://BUCKET[/PREFIX] (default: nowhere; dumps wait on the node)",
  },
  s3Endpoint: { flag: "s3-endpoint", kind: "text", describe: "URL of the S3 service (default: Amazon's)" },
  s3Region: {
    flag: "s3-region",
    kind: "text",
    describe: "region (default: from environment or profile; us-east-1 with --s3-endpoint)",
  },
  s3PathStyle: {
    flag: "s3-path-style",
    kind: "switch",
    describe: "put the bucket's name into the path, not into the host name (default: true with --s3-endpoint)",
  },
  s3CredentialsDir: {
    flag: "s3-credentials-dir",
    kind: "text",
    describe:
      "directory with the files access-key and secret-key (default: environment, profile, the pod's or node's role)",
  },
  s3Sse: {
    flag: "s3-sse",
    kind: ["AES256", "aws:kms", "aws:kms:dsse"],
    describe: "encryption at rest to ask for (default: the bucket's)",
  },
  s3KmsKey: { flag: "s3-kms-key", kind: "text", describe: "key for --s3-sse aws:kms (default: the account's)" },
  s3StorageClass: { flag: "s3-storage-class", kind: "text", describe: "storage class (default: the bucket's)" },
  s3CaFile: { flag: "s3-ca-file", kind: "text", describe: "PEM file of the CA that signed the service's certificate" },
  uploadBytesPerS: {
    flag: "upload-bandwidth",
    kind: "bytes",
    describe: "bytes per second for all uploads together (default: no limit)",
  },
} as const satisfies Record<string, Option>;

export type StoreSettings = Values<typeof STORE_OPTIONS>;
