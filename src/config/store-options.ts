import type { Option, Values } from "./options.ts";

/** Where bundles go. Keys are never given by a flag: other users see those. */
export const STORE_OPTIONS = {
  store: {
    flag: "store",
    kind: "text",
    env: "COREDUMP_STORE",
    describe: "where bundles go: a mounted directory, or s3://BUCKET[/PREFIX] (default: nowhere, dumps wait)",
  },
  s3Endpoint: { flag: "s3-endpoint", kind: "text", describe: "URL of the S3 service (default: Amazon's)" },
  s3Region: {
    flag: "s3-region",
    kind: "text",
    describe: "region (default: the environment's or profile's; us-east-1 where --s3-endpoint is given)",
  },
  s3PathStyle: {
    flag: "s3-path-style",
    kind: "switch",
    describe: "the bucket's name in the path, not in the host's name (default: true where --s3-endpoint is given)",
  },
  s3CredentialsDir: {
    flag: "s3-credentials-dir",
    kind: "text",
    describe:
      "directory with the files access-key and secret-key (default: environment, profile, pod's or node's role)",
  },
  s3Sse: {
    flag: "s3-sse",
    kind: ["AES256", "aws:kms", "aws:kms:dsse"],
    describe: "encryption at rest to ask for (default: the bucket's)",
  },
  s3KmsKey: { flag: "s3-kms-key", kind: "text", describe: "key for --s3-sse aws:kms (default: the account's)" },
  s3StorageClass: { flag: "s3-storage-class", kind: "text", describe: "storage class (default: the bucket's)" },
  s3CaFile: {
    flag: "s3-ca-file",
    kind: "text",
    describe: "PEM file of the authority behind the service's certificate",
  },
  uploadBytesPerS: {
    flag: "upload-bandwidth",
    kind: "bytes",
    describe: "bytes a second that all uploads together may take (default: no limit)",
  },
} as const satisfies Record<string, Option>;

export type StoreSettings = Values<typeof STORE_OPTIONS>;
