import type { DumpCore, DumpRecord } from "../../domain/dump.ts";

export const NO_CORE: DumpCore = {
  path: null,
  sizeBytes: null,
  storedBytes: null,
  logicalBytes: null,
  expectedBytes: null,
  complete: null,
  sha256: null,
  truncation: null,
  capture: null,
};

/** A record in which nothing is known yet but when, where and by whom it was begun. */
export function blankRecord(id: string, time: Date, node: string): DumpRecord {
  return {
    version: 1,
    id,
    state: "Capturing",
    reason: null,
    message: null,
    dumptime: time.toISOString(),
    updated: time.toISOString(),
    hostPid: 0,
    hostTid: null,
    containerPid: null,
    executable: "unknown",
    exe: null,
    comm: null,
    threadName: null,
    signal: null,
    threads: [],
    threadCount: null,
    processUid: null,
    processGid: null,
    dumpable: null,
    coreLimit: null,
    uptimeMs: null,
    heldMs: null,
    node,
    hostname: null,
    owner: "unknown",
    container: null,
    pod: null,
    identity: { source: "none", confirmed: false, problem: null, cgroup: null },
    core: NO_CORE,
    cluster: null,
    bundle: null,
    delivery: null,
    crash: null,
    warnings: [],
  };
}
