/**
 * A record as a Coredump (install/crd/coredumps.yaml), and back. Pure. Text that a process chose is escaped and cut to what the
 * schema takes; the process's environment and arguments are in neither.
 */
import { crashFrom } from "../../domain/crash.ts";
import { blankRecord, type DumpPod, type DumpRecord, isOrdinary } from "../../domain/dump.ts";
import { bytesIn } from "../../domain/quantity.ts";
import { signalCodeText } from "../../domain/signals.ts";
import { isAllowed, isUndecided, type State } from "../../domain/states.ts";
import { printable } from "../../domain/text.ts";
import { jsonBytes, shortBytes } from "../../domain/units.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { COREDUMP_API } from "../../kube/objects.ts";
import { conditionsOf } from "./conditions.ts";
import { labelsOf, objectName } from "./names.ts";

/** A record whose pod is known: what can be registered. */
export type PodRecord = DumpRecord & { readonly pod: DumpPod };

export const hasPod = (record: DumpRecord): record is PodRecord => record.owner === "pod" && record.pod !== null;

/** The object as it is created: what happened. What became of it (`statusOf`) is a second write, as the API wants it. */
export function coredumpOf(record: PodRecord, namespaceUid: string) {
  const { pod, container } = record;
  return {
    apiVersion: COREDUMP_API,
    kind: "Coredump",
    metadata: { name: objectName(record), namespace: pod.namespace, labels: labelsOf(record) },
    spec: {
      id: record.id,
      node: record.node,
      namespaceUid,
      pod: pod.name,
      uid: pod.uid,
      containerName: container?.name ?? "unknown",
      ...defined({
        attempt: container?.attempt,
        image: line(container?.image, 1024),
        imageDigest: container?.imageDigest,
        containerPid: record.containerPid || undefined,
        processUid: record.processUid,
        processGid: record.processGid,
        exe: line(record.exe, 4096),
        comm: line(record.comm, 64),
        signal: signalOf(record),
        processUptimeMs: record.uptimeMs,
      }),
      pid: record.hostPid,
      filename: line(record.executable, 1024) ?? "unknown",
      dumptime: record.dumptime,
      ...lateFields(record),
    },
  };
}

/** Each set once, as soon as it is known. */
export const lateFields = ({ core, bundle }: DumpRecord): Pick<Coredump["spec"], "size" | "volume"> => ({
  ...(core.storedBytes !== null && { size: String(core.storedBytes) }),
  ...(bundle && { volume: bundle.volume }),
});

/**
 * What the API is to call the state. With a cluster a captured dump waits for its decision; so does one that was allowed
 * when its object is a new one, because the old one was lost. Only the controller says Allowed or Denied: what was
 * denied before is Refused in a new object.
 */
export function stateInApi({ state }: Pick<DumpRecord, "state">, before: State | undefined): State {
  if (state === "Captured") return "Created";
  const isUnjudged = before === undefined || isUndecided(before);
  if (isUnjudged && isAllowed(state)) return "Created";
  return isUnjudged && state === "Denied" ? "Refused" : state;
}

/** @param before the object's status so far: conditions keep the time of their last change, and others' fields stay */
export function statusOf(record: DumpRecord, before: Coredump["status"], now: Date): NonNullable<Coredump["status"]> {
  const { core, bundle, signal } = record;
  const { reason: _reason, message: _message, ...others } = before ?? {};
  return {
    ...others,
    state: stateInApi(record, before?.state),
    conditions: conditionsOf(record, before?.conditions ?? [], now),
    ...defined({
      reason: record.reason,
      message: line(record.message, 4000),
      complete: core.complete,
      displaySize: core.storedBytes === null ? undefined : shortBytes(core.storedBytes),
      logicalSize: quantity(core.logicalBytes),
      expectedSize: quantity(core.expectedBytes),
      bundleSize: quantity(bundle?.sizeBytes),
      checksum: core.sha256 && `sha256:${core.sha256}`,
      key: bundle?.key,
      signalCode: signal?.code,
      faultAddress: signal?.faultAddress,
      heldMs: record.heldMs,
      crash: crashOf(record),
      threads: threadsOf(record),
      threadCount: record.threadCount || undefined,
    }),
  };
}

/** Names out of the memory of a process that was not dumpable are root's, as the memory is. */
function crashOf(record: DumpRecord): object | undefined {
  return record.crash && isOrdinary(record) ? (withoutNulls(record.crash) as object) : undefined;
}

function withoutNulls(value: unknown): unknown {
  if (typeof value === "string") return printable(value).toWellFormed();
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const known = Object.entries(value).filter(([, field]) => field !== null && field !== "");
  return Object.fromEntries(known.map(([name, field]) => [name, withoutNulls(field)]));
}

/** install/crd/coredumps.yaml: maxItems of threads. */
const MAX_THREADS = 64;

function threadsOf({ threads }: DumpRecord) {
  const known = threads.filter(({ tid }) => tid >= 1 && tid <= 4194304).slice(0, MAX_THREADS);
  if (known.length === 0) return undefined;
  return known.map(({ tid, name, crashed }) => ({ tid, ...defined({ name: line(name, 60) }), crashed }));
}

/** The schema takes the signals that there are, with a name or without; of others the record on the node tells. */
function signalOf({ signal }: DumpRecord) {
  if (!signal || signal.number < 1 || signal.number > 64) return undefined;
  return { number: signal.number, name: signal.name };
}

const quantity = (bytes: number | null | undefined): string | undefined =>
  bytes === null || bytes === undefined ? undefined : String(bytes);

/** One line of text, at most so long; undefined when there is none. */
function line(text: string | null | undefined, length: number): string | undefined {
  return text ? printable(text).slice(0, length).toWellFormed() : undefined;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], null | undefined> };

/** Without what is not known: the schema has no nulls. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ) as Defined<T>;
}

type CoredumpSpec = Coredump["spec"];
type CoredumpStatus = NonNullable<Coredump["status"]>;

/**
 * The way back: the record that a Coredump was made from, so that one screen prints both. What no Coredump says is blank:
 * whose cgroup it was, what the node warns of, where the core lies there.
 */
export function recordOf({ metadata, spec, status = {} }: Coredump): DumpRecord {
  return {
    ...blankRecord(spec.id ?? "", new Date(0), spec.node ?? "unknown"),
    state: status.state ?? "Capturing",
    message: status.message ?? null,
    dumptime: spec.dumptime ?? "",
    owner: "pod",
    pod: { namespace: metadata.namespace ?? "unknown", name: spec.pod ?? "unknown", uid: spec.uid ?? "" },
    container: containerIn(spec),
    identity: { source: "none", confirmed: true, problem: null, cgroup: null },
    executable: spec.filename ?? "",
    comm: spec.comm ?? null,
    uptimeMs: spec.processUptimeMs ?? null,

    heldMs: status.heldMs ?? null,
    signal: signalIn(spec, status),
    threads: (status.threads ?? []).map(({ tid, name = null, crashed = false }) => ({ tid, name, crashed })),
    threadCount: status.threadCount ?? null,
    core: coreIn(spec, status),
    bundle: bundleIn(spec, status),
    crash: crashFrom(status.crash),
  };
}

const numberIn = (quantity: string | number | undefined): number | null => {
  const bytes = bytesIn(quantity);
  return bytes === undefined ? null : jsonBytes(bytes);
};

const containerIn = ({ containerName, attempt, image, imageDigest }: CoredumpSpec): DumpRecord["container"] =>
  containerName === undefined && image === undefined && imageDigest === undefined
    ? null
    : {
        ...{ runtime: "unknown", id: "", name: containerName ?? "unknown" },
        ...{ image: image ?? null, imageDigest: imageDigest ?? null, attempt: attempt ?? null },
      };

const signalIn = (
  { signal }: CoredumpSpec,
  { signalCode: code, faultAddress }: CoredumpStatus,
): DumpRecord["signal"] =>
  signal
    ? {
        ...{ number: signal.number, name: signal.name, code: code ?? null, faultAddress: faultAddress ?? null },
        codeText: (code === undefined ? undefined : signalCodeText(signal.number, code)) ?? null,
      }
    : null;

const coreIn = (
  { size }: CoredumpSpec,
  { logicalSize, expectedSize, complete, checksum }: CoredumpStatus,
): DumpRecord["core"] => ({
  ...blankRecord("", new Date(0), "").core,
  sizeBytes: numberIn(logicalSize),
  storedBytes: numberIn(size),
  logicalBytes: numberIn(logicalSize),
  expectedBytes: numberIn(expectedSize),
  complete: complete ?? null,
  sha256: checksum?.startsWith("sha256:") ? checksum.slice("sha256:".length) : null,
});

const bundleIn = ({ volume }: CoredumpSpec, { key, bundleSize }: CoredumpStatus): DumpRecord["bundle"] =>
  volume === undefined || key === undefined
    ? null
    : { volume, key, sizeBytes: numberIn(bundleSize) ?? 0, checksum: "" };
