/** A Coredump as the record that it was made from, so that one screen prints both. */
import { crashFrom } from "../../domain/crash.ts";
import { blankRecord, type DumpRecord } from "../../domain/dump.ts";
import { bytesIn } from "../../domain/quantity.ts";
import { signalCodeText } from "../../domain/signals.ts";
import { jsonBytes } from "../../domain/units.ts";
import type { Coredump } from "../../kube/coredump.ts";

type CoredumpSpec = Coredump["spec"];
type CoredumpStatus = NonNullable<Coredump["status"]>;

/** What no Coredump says is blank: whose cgroup it was, what the node warns of, where the core lies there. */
export function recordOf({ metadata, spec, status = {} }: Coredump): DumpRecord {
  return {
    ...blankRecord(spec.id ?? "", new Date(0), spec.node ?? "unknown"),
    state: status.state ?? "Capturing",
    message: status.message ?? null,
    dumptime: spec.dumptime ?? "",
    owner: "pod",
    pod: { namespace: metadata.namespace ?? "unknown", name: spec.pod ?? "unknown", uid: spec.uid ?? "" },
    container: containerOf(spec),
    identity: { source: "none", confirmed: true, problem: null, cgroup: null },
    executable: spec.filename ?? "",
    comm: spec.comm ?? null,
    uptimeMs: spec.processUptimeMs ?? null,
    heldMs: status.heldMs ?? null,
    signal: signalOf(spec, status),
    threads: (status.threads ?? []).map(({ tid, name = null, crashed = false }) => ({ tid, name, crashed })),
    threadCount: status.threadCount ?? null,
    core: coreOf(spec, status),
    bundle: bundleOf(spec, status),
    crash: crashFrom(status.crash),
  };
}

const numberOf = (quantity: string | number | undefined): number | null => {
  const bytes = bytesIn(quantity);
  return bytes === undefined ? null : jsonBytes(bytes);
};

const containerOf = ({ containerName, attempt, image, imageDigest }: CoredumpSpec): DumpRecord["container"] =>
  containerName === undefined && image === undefined && imageDigest === undefined
    ? null
    : {
        ...{ runtime: "unknown", id: "", name: containerName ?? "unknown" },
        ...{ image: image ?? null, imageDigest: imageDigest ?? null, attempt: attempt ?? null },
      };

const signalOf = (
  { signal }: CoredumpSpec,
  { signalCode: code, faultAddress }: CoredumpStatus,
): DumpRecord["signal"] =>
  signal
    ? {
        ...{ number: signal.number, name: signal.name, code: code ?? null, faultAddress: faultAddress ?? null },
        codeText: (code === undefined ? undefined : signalCodeText(signal.number, code)) ?? null,
      }
    : null;

const coreOf = (
  { size }: CoredumpSpec,
  { logicalSize, expectedSize, complete, checksum }: CoredumpStatus,
): DumpRecord["core"] => ({
  ...blankRecord("", new Date(0), "").core,
  sizeBytes: numberOf(logicalSize),
  storedBytes: numberOf(size),
  logicalBytes: numberOf(logicalSize),
  expectedBytes: numberOf(expectedSize),
  complete: complete ?? null,
  sha256: checksum?.startsWith("sha256:") ? checksum.slice("sha256:".length) : null,
});

const bundleOf = ({ volume }: CoredumpSpec, { key, bundleSize }: CoredumpStatus): DumpRecord["bundle"] =>
  volume === undefined || key === undefined
    ? null
    : { volume, key, sizeBytes: numberOf(bundleSize) ?? 0, checksum: "" };
