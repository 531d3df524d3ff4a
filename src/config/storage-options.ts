import type { Option, Values } from "./options.ts";

/** Where the API server keeps its objects. */
export const STORAGE_OPTIONS = {
  etcdServers: {
    flag: "etcd-servers",
    kind: "text",
    describe: "URLs of etcd's members, with commas between them (default: none, a file of its own)",
  },
  etcdPrefix: {
    flag: "etcd-prefix",
    kind: "text",
    default: "/registry/fujitsu.com",
    describe: "what the keys of all objects begin with",
  },
  etcdCaFile: { flag: "etcd-cafile", kind: "text", describe: "PEM file of the authority behind etcd's certificate" },
  etcdCertFile: { flag: "etcd-certfile", kind: "text", describe: "PEM file of our own certificate for etcd" },
  etcdKeyFile: { flag: "etcd-keyfile", kind: "text", describe: "PEM file of the key to --etcd-certfile" },
  etcdCompactionMs: {
    flag: "etcd-compaction-interval",
    kind: "duration",
    default: "5m",
    describe: "how much of etcd's history stays; 0s: compacting is left to etcd",
  },
  database: {
    flag: "database",
    kind: "text",
    default: "/var/lib/coredump/apiserver.db",
    describe: "SQLite file for the objects, where --etcd-servers is not given",
  },
} as const satisfies Record<string, Option>;

export type StorageSettings = Values<typeof STORAGE_OPTIONS>;
