import type { DumpRecord } from "../../domain/dump.ts";

/**
 * The record's public part, `info.json` in a bundle: what was found out about the crash, and whose it is. Left out are
 * the command line and environment (they are in no record), paths of the node, and all that goes on changing while the
 * dump makes its way: the same record gives the same bytes every time.
 *
 * @param leftOut  files of the dump that were too large for the bundle
 */
export function publicPart(record: DumpRecord, leftOut: readonly string[]): object {
  const { version, id, dumptime, node, owner, pod, container, identity, cluster, core } = record;
  const { executable, exe, comm, threadName, hostname, hostPid, hostTid, containerPid, processUid, processGid } =
    record;
  const { dumpable, coreLimit, uptimeMs, heldMs, signal, threadCount, threads, crash } = record;
  const { path: _, ...measured } = core;
  return {
    version,
    id,
    dumptime,
    node,
    owner,
    // A namespace that was deleted and made again has another uid, and inherits nothing.
    namespaceUid: cluster?.namespaceUid ?? null,
    clusterUid: cluster?.clusterUid ?? null,
    coredump: cluster?.name ?? null,
    pod,
    container,
    identity,
    executable,
    exe,
    comm,
    threadName,
    hostname,
    hostPid,
    hostTid,
    containerPid,
    processUid,
    processGid,
    dumpable,
    coreLimit,
    uptimeMs,
    heldMs,
    signal,
    core: measured,
    leftOut,
    threadCount,
    threads,
    crash,
  };
}
