/** Opens the storage that the settings name. */
import type { StorageSettings } from "../../config/storage-options.ts";
import type { ObjectStorage } from "./storage.ts";

/**
 * The storage that the settings name: etcd where its servers are given, else a file. Its client is loaded when it is the one.
 * @throws DumpError SETTINGS_INVALID; STORAGE_UNAVAILABLE when the file cannot be had (etcd may come up later)
 */
export async function openStorage(settings: StorageSettings): Promise<ObjectStorage> {
  if (settings.etcdServers !== undefined) {
    const { openEtcd } = await import("./etcd/etcd.ts");
    return openEtcd(settings);
  }
  const { SqliteStorage } = await import("./sqlite/sqlite.ts");
  return new SqliteStorage(settings.database);
}
