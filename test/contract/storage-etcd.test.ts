import { after, before, describe } from "node:test";
import { EtcdClient } from "../../src/api/storage/etcd/client.ts";
import { openEtcd } from "../../src/api/storage/etcd/etcd.ts";
import type { ObjectStorage } from "../../src/api/storage/storage.ts";
import type { StorageSettings } from "../../src/config/storage-options.ts";
import { Etcd } from "../support/etcd.ts";
import { eventually } from "../support/eventually.ts";
import { needs } from "../support/set-up.ts";
import { storageContract } from "./storage.ts";

describe("in etcd", { skip: needs("cluster") }, () => {
  let etcd: Etcd;
  let client: EtcdClient;
  let storage: ObjectStorage;

  before(async () => {
    etcd = await Etcd.start();
    const settings: StorageSettings = {
      etcdServers: etcd.url,
      etcdPrefix: "/registry",
      etcdCompactionMs: 0,
      database: "",
    };
    client = await EtcdClient.open(settings);
    storage = await openEtcd(settings);
    await eventually(() => storage.ping());
  });
  after(async () => {
    client?.close();
    await storage?.[Symbol.asyncDispose]();
    await etcd?.[Symbol.asyncDispose]();
  });

  storageContract("EtcdStorage", () => ({
    storage,
    compact: async (revision) => {
      await client.call("KV/Compact", { revision: `${revision}` });
    },
  }));
});
