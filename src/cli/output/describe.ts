/** A record in words for people: pure, one line each, every foreign text made printable. `undefined` is never said. */
import type { DumpRecord, DumpSignal, Truncation } from "../../domain/dump.ts";
import { isGone, isOver, REASONS } from "../../domain/states.ts";
import { printable } from "../../domain/text.ts";
import { formatBytes, formatDuration } from "../../domain/units.ts";

const CUT_BY: Readonly<Record<Truncation, string>> = {
  "size-cap": "the limit for one dump reached",
  "cache-full": "the cache was full",
  "disk-full": "the disk was full",
  "write-failed": "the cache's disk failed",
  "source-cut-short": "source cut short",
  "handler-killed": "the handler was killed",
  "not-elf": "what came is not an ELF core",
};

/** Whether the record says that the core is in this node's cache. */
export const isHeld = ({ state, core }: DumpRecord): boolean =>
  !isOver(state) && core.path !== null && core.sizeBytes !== 0;

/** `shop/web-0/nginx`, `docker/web`, `host/nginx.service`: short, and enough to tell owners apart. */
export function who(record: DumpRecord): string {
  const { owner, pod, container, identity, hostname } = record;
  const name = isUnnamed(record) ? hostname : container && (container.name ?? container.id.slice(0, 12));
  const place = owner === "host" ? unitName(identity.cgroup) : name;
  const parts = pod ? [pod.namespace, pod.name, container?.name] : [owner, place];
  return printable(parts.filter((part) => part).join("/"));
}

/** In a container that was made without an engine's id: all there is to tell it by are its cgroup and its host name. */
export const isUnnamed = ({ owner, container, identity }: DumpRecord): boolean =>
  owner === "unknown" && container === null && identity.source === "none" && identity.cgroup !== null;

/** `nginx.service` of a unit's cgroup; other paths say less than they are long. */
const unitName = (cgroup: string | null): string | undefined => /[^/]+\.(?:service|scope)$/.exec(cgroup ?? "")?.[0];

/** comm holds 15 bytes (TASK_COMM_LEN). */
const COMM_BYTES = 15;

/**
 * `nginx`; `redis-check-rdb (redis-server)` where the process calls itself another name than its executable's file has:
 * that is the one its users know.
 */
export function programName(executable: string, comm: string | null | undefined): string {
  const isCut = comm && Buffer.byteLength(comm) >= COMM_BYTES && executable.startsWith(comm);
  return printable(!comm || comm === executable || isCut ? executable : `${executable} (${comm})`);
}

/** `SIGSEGV (address not mapped) at 0x0`. */
export function signalWords(signal: DumpSignal | null): string {
  if (signal === null) return "an unknown signal";
  const meaning = signal.codeText === null ? "" : ` (${printable(signal.codeText)})`;
  return `${printable(signal.name)}${meaning}${signal.faultAddress === null ? "" : ` at ${printable(signal.faultAddress)}`}`;
}

/** `yes`; `no: …` with what cut it; or, where there is no core, why. */
export function completeness(record: DumpRecord): string {
  const { state, core } = record;
  if (isGone(state)) return whyNotHeld(record);
  if (core.complete === null) return state === "Capturing" ? "not yet" : "unknown";
  return core.complete ? "yes" : `no: ${shortfall(record)}`;
}

/** What cut an incomplete core, and where: `source cut short at 2 MiB of 4 MiB`. */
export function shortfall({ core }: DumpRecord): string {
  const cause = core.truncation === null ? "cut short" : CUT_BY[core.truncation];
  return `${cause} at ${bytes(core.sizeBytes)}${core.expectedBytes === null ? "" : ` of ${bytes(core.expectedBytes)}`}`;
}

/** Why there is no core here: the record's own sentence, else its reason, else its state. */
export function whyNotHeld({ state, reason, message, core }: DumpRecord): string {
  if (message !== null && isGone(state))
    return reason === "OptedOut" ? `opted out: ${printable(message)}` : printable(message);
  if (reason !== null && isGone(state)) return REASONS[reason];
  if (state === "Saved") return "saved in the store";
  return core.sizeBytes === 0 ? REASONS.NothingReceived : `it is ${state}`;
}

/** Bytes held on the disk, which is what a quota would count. */
export const size = (record: DumpRecord): string => (isHeld(record) ? bytes(record.core.storedBytes) : "-");

export const bytes = (count: number | null): string => (count === null ? "unknown" : formatBytes(count));

/** `12s ago`; a time to come (the clock was set back) is said as such. */
export function ago(time: string, now: Date): string {
  const ms = now.getTime() - Date.parse(time);
  if (Number.isNaN(ms)) return "unknown";
  const whole = formatDuration(Math.floor(Math.abs(ms) / 1000) * 1000);
  return ms < 0 ? `in ${whole}` : `${whole} ago`;
}

/** A file name for what came from the executable, from a safe alphabet: a crashed process puts no option or path there. */
export const safeName = (executable: string): string =>
  executable
    .replace(/[^\w.+-]/g, "_")
    .replace(/^[.-]+/, "")
    .slice(0, 64) || "unknown";
