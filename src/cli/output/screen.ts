/** One dump on one screen: what happened, what it means, what to do next. */
import type { DumpRecord } from "../../domain/dump.ts";
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";
import { formatDuration } from "../../domain/units.ts";
import { crashLines, stackLines } from "./crash.ts";
import { bytes, isHeld, isUnnamed, programName, safeName, shortfall, signalWords, whyNotHeld } from "./describe.ts";
import { colourOf } from "./list.ts";
import { coloured } from "./table.ts";
import { clip, displayWidth } from "./width.ts";

/**
 * A heading and the lines under it; a label without lines is left out.
 * @param flags what the commands to paste need besides, with a blank in front
 * @param title the process's command line, where the node still has it
 */
export function screen(record: DumpRecord, flags = "", title?: string): string {
  const parts: readonly (readonly [string, readonly (string | undefined)[]])[] = [
    ["What", what(record)],
    ["Crash", record.crash ? crashLines(record.crash) : []],
    ["Stack", record.crash ? stackLines(record.crash).map((line) => line.trim()) : []],
    ["Process", [...pids(record), title && clip(printable(title), TITLE_COLUMNS)]],
    ["Where", where(record)],
    ["Image", image(record)],
    ["When", when(record)],
    ["Core", core(record)],
    ["Claim", claim(record)],
    ["Held up", heldUp(record)],
    ["Note", note(record)],
    ["Warnings", record.warnings.map(printable)],
    ["Next", next(record, flags)],
  ];
  const lines = parts.flatMap(([label, texts]) =>
    texts
      .filter((text) => text !== undefined && text !== "")
      .map((text, at) => `  ${(at === 0 ? label : "").padEnd(9)} ${text}\n`),
  );
  return [heading(record), ...lines].join("");
}

/** A command line has up to 128 KiB. */
const TITLE_COLUMNS = 400;

function heading(record: DumpRecord): string {
  const id = shortId(record.id);
  const { complete } = record.core;
  const verdict = !isHeld(record) || complete === null ? "" : complete ? ", complete" : ", incomplete";
  const state = coloured(colourOf(record.state), record.state) + verdict;
  return `${coloured("bold", id)}${" ".repeat(Math.max(2, 60 - id.length))}${state}\n`;
}

function what({ executable, comm, signal, threads, threadCount, threadName }: DumpRecord): string[] {
  const crashed = threads.find((thread) => thread.crashed);
  const name = crashed?.name ?? threadName;
  const thread =
    crashed && (threadCount ?? 1) > 1
      ? `, thread ${crashed.tid}${name === null ? "" : ` "${printable(name)}"`}, one of ${threadCount}`
      : "";
  return [`${programName(executable, comm)} was killed by ${signalWords(signal)}${thread}`];
}

function pids({ hostPid, containerPid, processUid, processGid, exe, owner }: DumpRecord): (string | undefined)[] {
  const inside = containerPid === null || owner === "host" ? "" : ` (${containerPid} in its container)`;
  return [
    `pid ${hostPid}${inside}, uid ${processUid ?? "unknown"}, gid ${processGid ?? "unknown"}`,
    exe === null ? undefined : printable(exe),
  ];
}

function where(record: DumpRecord): (string | undefined)[] {
  const { owner, identity, node } = record;
  const isNamed = owner !== "host" && !isUnnamed(record);
  const doubt = identity.problem ?? (identity.confirmed ? null : "the run-time was not asked");
  return [
    `${place(record)}, node ${printable(node)}`,
    isUnnamed(record) ? `its cgroup is ${printable(identity.cgroup ?? "")}` : undefined,
    ownName(record),
    doubt === null || !isNamed ? undefined : `not confirmed: ${printable(doubt)}`,
  ];
}

function place(record: DumpRecord): string {
  const { owner, pod, container, identity } = record;
  if (owner === "host") return `on the host itself${identity.cgroup ? `, in ${printable(identity.cgroup)}` : ""}`;
  if (isUnnamed(record)) return "in a container that no engine names";
  const attempt = container === null || container.attempt === null ? "" : ` (attempt ${container.attempt})`;
  const named = container
    ? `container ${printable(container.name ?? container.id.slice(0, 12))}${attempt}`
    : "a container that could not be named";
  if (pod) return `namespace ${printable(pod.namespace)}, pod ${printable(pod.name)}, ${named}`;
  return owner === "docker" ? `Docker ${named}` : named;
}

/** Its host name, where it is another than an engine would have given it. */
function ownName({ owner, hostname, pod, container }: DumpRecord): string | undefined {
  if (owner === "host" || hostname === null || hostname === pod?.name) return undefined;
  return container?.id.startsWith(hostname) ? undefined : `called itself ${printable(hostname)}`;
}

function image({ container }: DumpRecord): string[] {
  if (!container) return [];
  const { image, imageDigest } = container;
  return [
    [image ?? "unknown", imageDigest]
      .filter((part) => part !== null)
      .map(printable)
      .join(" "),
  ];
}

/** The copy for the pod's own claim, where its owner wants one. */
function claim({ delivery }: DumpRecord): string[] {
  if (!delivery) return [];
  const { state, claim, message } = delivery;
  const why = message === null ? "" : `: ${printable(message)}`;
  const word = { Pending: "not there yet", Delivered: "delivered", GivenUp: "not delivered" }[state];
  return [`${printable(claim)}, ${word}${why}`];
}

function when({ dumptime, uptimeMs }: DumpRecord): string[] {
  const up = uptimeMs === null ? "" : `, process was up ${formatDuration(uptimeMs)}`;
  return [`${printable(dumptime.replace("T", " "))}${up}`];
}

function core(record: DumpRecord): (string | undefined)[] {
  if (!isHeld(record)) return [`not held: ${whyNotHeld(record)}`];
  const { storedBytes, expectedBytes, logicalBytes, complete, sha256, path } = record.core;
  const length = expectedBytes ?? logicalBytes;
  const proof = complete === false ? cutBy(record) : complete ? "expected size reached" : "completeness not known yet";
  return [
    `${bytes(storedBytes)} held${length === null ? "" : ` of a file of ${bytes(length)}`}, ${proof}`,
    sha256 === null ? "checksum not known yet" : `sha256 ${printable(sha256)}`,
    path === null ? undefined : printable(path),
  ];
}

/** The record's own sentence knows what stopped it, where that is known. */
const cutBy = (record: DumpRecord): string =>
  record.reason === "Truncated" && record.message !== null ? printable(record.message) : shortfall(record);

function heldUp({ heldMs, owner }: DumpRecord): string[] {
  if (heldMs === null) return [];
  return [`${owner === "host" ? "the process's end" : "the container's restart"} for ${formatDuration(heldMs)}`];
}

/** What the lines above have not said: of a core that is not held, or cut short, they have. */
const note = (record: DumpRecord): string[] =>
  record.message === null || record.reason === "Truncated" || !isHeld(record) ? [] : [printable(record.message)];

/** Commands to paste. */
function next(record: DumpRecord, flags: string): string[] {
  if (!isHeld(record)) return [];
  const id = shortId(record.id);
  const steps = [
    [`coredump-detector dump ${id} ${safeName(record.executable)}.core${flags}`, "copy the core out of the cache"],
    [`coredump-detector verify ${id}${flags}`, "prove that it is whole"],
  ] as const;
  const width = Math.max(...steps.map(([step]) => displayWidth(step)));
  return steps.map(([step, why]) => `${step.padEnd(width)}   ${why}`);
}
