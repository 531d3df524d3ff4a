/** Options of the API server's storage. */
import type { Option, Values } from "./options.ts";

export const STORAGE_OPTIONS = {
  etcdServers: {
    flag: "etcd-servers",
    kind: "text",
    describe: "URLs of etcd's members, separated by commas (default: none; a SQLite file, see --database)",
  },
  etcdPrefix: {
    flag: "etcd-prefix",
    kind: "text",
    default: "/registry/fujitsu.com",
    describe: "prefix of all keys",
  },
  etcdCaFile: { flag: "etcd-cafile", kind: "text", describe: "PEM file of the CA that signed etcd's certificate" },
  etcdCertFile: { flag: "etcd-certfile", kind: "text", describe: "PEM file of the client certificate for etcd" },
  etcdKeyFile: { flag: "etcd-keyfile", kind: "text", describe: "PEM file of the key to --etcd-certfile" },
  etcdCompactionMs: {
    flag: "etcd-compaction-interval",
    kind: "duration",
    default: "5m",
    describe: "how much of etcd's history to keep; 0s: leave compacting to etcd",
  },
  database: {
    flag: "database",
    kind: "text",
    default: "/var/lib/coredump/apiserver.db",
    describe: "SQLite file for the objects, without --etcd-servers",
  },
} as const satisfies Record<string, Option>;

export type StorageSettings = Values<typeof STORAGE_OPTIONS>;
