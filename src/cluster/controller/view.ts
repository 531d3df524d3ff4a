/** What the controller keeps of the objects that it follows: little, for there may be many thousands. */
import { parseQuantity } from "../../domain/quantity.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { Mirrored } from "../../kube/mirror.ts";
import type { KubeObject } from "../../kube/objects.ts";
import type { Idle } from "../policy/collapse.ts";
import type { Charge, Quota } from "../policy/quota.ts";

export interface QuotaObject extends KubeObject {
  readonly spec: { readonly hard: string | number };
  readonly status?: { readonly used?: string | number; readonly hard?: string | number };
}

export interface DumpView extends Mirrored, Charge, Idle {
  readonly repeats: number;
}

export interface QuotaView extends Mirrored, Quota {}

/** Condition of a Coredump that counts others: its message holds the uids of those counted last. */
export const COUNTS = "Counts";

export function dumpView({ metadata, spec, status }: Coredump): DumpView {
  const { name, namespace = "", uid, resourceVersion, creationTimestamp = "" } = metadata;
  const counts = status?.conditions?.find(({ type }) => type === COUNTS);
  return {
    ...{ name, namespace, uid, resourceVersion },
    state: shared(status?.state ?? ""),
    sizeNanos: parseQuantity(spec.size)?.nanos ?? null,
    timeMs: timeOf(spec.dumptime) ?? timeOf(creationTimestamp) ?? 0,
    likeness: shared(JSON.stringify([spec.containerName, spec.filename, spec.signal?.name])),
    repeats: status?.repeats ?? 0,
    counted: counts?.message?.split(" ") ?? NONE,
  };
}

export function quotaView({ metadata, spec, status }: QuotaObject): QuotaView {
  const { name, namespace = "", uid, resourceVersion } = metadata;
  const text = (value: string | number | undefined) => (value === undefined ? undefined : String(value));
  const [statusUsed, statusHard] = [text(status?.used), text(status?.hard)];
  return { name, namespace, uid, resourceVersion, hard: String(spec.hard), statusUsed, statusHard };
}

const NONE: readonly string[] = [];

function timeOf(text: string | undefined): number | undefined {
  const timeMs = Date.parse(text ?? "");
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** One copy of a text that ten thousand objects have. Bounded: executables' names are the tenants' to choose. */
const texts = new Map<string, string>();
function shared(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= 4096) texts.clear();
  texts.set(text, text);
  return text;
}
