/** One dump on one screen: what happened, what it means, what to do next. */
import type { DumpRecord } from "../../domain/dump.ts";
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";
import { formatDuration } from "../../domain/units.ts";
import { bytes, completeness, isHeld, signalWords, whyNotHeld } from "./describe.ts";
import { COLOURS } from "./list.ts";
import { coloured } from "./table.ts";
import { displayWidth } from "./width.ts";

/** A heading and the lines under it; a label without lines is left out. */
export function screen(record: DumpRecord): string {
  const parts: readonly (readonly [string, readonly (string | undefined)[]])[] = [
    ["What", what(record)],
    ["Process", process(record)],
    ["Where", where(record)],
    ["Image", image(record)],
    ["When", when(record)],
    ["Core", core(record)],
    ["Held up", heldUp(record)],
    ["Note", isHeld(record) && record.message !== null ? [printable(record.message)] : []],
    ["Warnings", record.warnings.map(printable)],
    ["Next", next(record)],
  ];
  const lines = parts.flatMap(([label, texts]) =>
    texts.filter((text) => text !== undefined).map((text, at) => `  ${(at === 0 ? label : "").padEnd(9)} ${text}\n`),
  );
  return [heading(record), ...lines].join("");
}

function heading(record: DumpRecord): string {
  const id = shortId(record.id);
  const verdict = isHeld(record) ? `, ${record.core.complete ? "complete" : completeness(record)}` : "";
  const state = coloured(COLOURS[record.state], record.state) + verdict;
  return `${coloured("bold", id)}${" ".repeat(Math.max(2, 60 - id.length))}${state}\n`;
}

function what({ executable, signal, threads, threadCount, threadName }: DumpRecord): string[] {
  const crashed = threads.find((thread) => thread.crashed);
  const name = crashed?.name ?? threadName;
  const thread =
    crashed && (threadCount ?? 1) > 1
      ? `, thread ${crashed.tid}${name === null ? "" : ` "${printable(name)}"`}, one of ${threadCount}`
      : "";
  return [`${printable(executable)} was killed by ${signalWords(signal)}${thread}`];
}

function process({ hostPid, containerPid, processUid, processGid, exe, owner }: DumpRecord): (string | undefined)[] {
  const inside = containerPid === null || owner === "host" ? "" : ` (${containerPid} in its container)`;
  return [
    `pid ${hostPid}${inside}, uid ${processUid ?? "unknown"}, gid ${processGid ?? "unknown"}`,
    exe === null ? undefined : printable(exe),
  ];
}

function where({ owner, pod, container, node, identity, hostname }: DumpRecord): (string | undefined)[] {
  const attempt = container?.attempt == null ? "" : ` (attempt ${container.attempt})`;
  const named = container && `container ${printable(container.name ?? container.id.slice(0, 12))}${attempt}`;
  const place = pod
    ? [`namespace ${printable(pod.namespace)}`, `pod ${printable(pod.name)}`, named ?? "container unknown"]
    : [
        owner === "host"
          ? "on the host itself"
          : `${owner === "docker" ? "Docker " : ""}${named ?? "a container that nobody could name"}`,
      ];
  const doubt =
    identity.confirmed || identity.problem === null ? undefined : `not confirmed: ${printable(identity.problem)}`;
  const calledItself = hostname === null || owner === "host" ? undefined : `called itself ${printable(hostname)}`;
  return [[...place, `node ${printable(node)}`].join(", "), calledItself, doubt];
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

function when({ dumptime, uptimeMs }: DumpRecord): string[] {
  const up = uptimeMs === null ? "" : `, process was up ${formatDuration(uptimeMs)}`;
  return [`${printable(dumptime.replace("T", " "))}${up}`];
}

function core(record: DumpRecord): (string | undefined)[] {
  if (!isHeld(record)) return [`not held: ${whyNotHeld(record)}`];
  const { storedBytes, expectedBytes, logicalBytes, complete, sha256, path } = record.core;
  const proof = complete ? "expected size reached" : completeness(record);
  return [
    `${bytes(storedBytes)} held of ${bytes(expectedBytes ?? logicalBytes)} address space, ${proof}`,
    sha256 === null ? "checksum not known yet" : `sha256 ${printable(sha256)}`,
    path === null ? undefined : printable(path),
  ];
}

function heldUp({ heldMs, owner }: DumpRecord): string[] {
  if (heldMs === null) return [];
  return [`${owner === "host" ? "the process's end" : "the container's restart"} for ${formatDuration(heldMs)}`];
}

/** Commands to paste; their names are made of digits, so no crashed process can put a word into them. */
function next(record: DumpRecord): string[] {
  if (!isHeld(record)) return [];
  const id = shortId(record.id);
  const steps = [
    [`coredump-detector dump ${id} ${id}.core`, "copy the core out of the cache"],
    [`coredump-detector verify ${id}`, "prove that it is whole"],
  ] as const;
  const width = Math.max(...steps.map(([step]) => displayWidth(step)));
  return steps.map(([step, why]) => `${step.padEnd(width)}   ${why}`);
}
