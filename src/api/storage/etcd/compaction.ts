/**
 * etcd keeps all of its history until it is told to forget. Every interval one of all the API servers that share it tells it
 * to: whoever first counts the key below on. It is the key that Kubernetes's own API servers count, in the same way, so that
 * ours and theirs (of the same etcd) do it once, too.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { EtcdClient } from "./client.ts";
import { bytes } from "./messages.ts";

const KEY = bytes("compact_rev_key");

interface Turn {
  /** How often the key had been counted on. */
  readonly version: string;
  /** etcd's, then. */
  readonly revision: string;
}

/** Until the signal. A failure costs one interval: what was not forgotten now is forgotten next time. */
export async function keepCompacting(client: EtcdClient, intervalMs: number, signal: AbortSignal): Promise<void> {
  let turn: Turn = { version: "0", revision: "0" };
  while (!signal.aborted) {
    turn = await compactOnce(client, turn, signal).catch(() => turn);
    await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Forgets what was before the last turn, unless another server has done so since. @returns this turn */
export async function compactOnce(client: EtcdClient, last: Turn, signal: AbortSignal): Promise<Turn> {
  const { succeeded, header, responses } = await client.call(
    "KV/Txn",
    {
      compare: [{ result: "EQUAL", target: "VERSION", key: KEY, version: last.version }],
      success: [{ requestPut: { key: KEY, value: bytes(last.revision) } }],
      failure: [{ requestRange: { key: KEY } }],
    },
    signal,
  );
  const { revision } = header;
  if (!succeeded) return { version: responses[0]?.responseRange?.kvs[0]?.version ?? "0", revision };
  if (last.revision !== "0") await client.call("KV/Compact", { revision: last.revision }, signal);
  return { version: `${BigInt(last.version) + 1n}`, revision };
}
