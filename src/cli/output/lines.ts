/** One dump on one screen: a heading, and lines under labels. A record and a Coredump (as a record) have most of them in common. */
import type { DumpRecord } from "../../domain/dump.ts";
import { printable } from "../../domain/text.ts";
import { formatBytes, formatDuration } from "../../domain/units.ts";
import { crashLines, stackLines } from "./crash.ts";
import { bytes, isUnnamed, programName, signalWords } from "./describe.ts";
import { coloured } from "./table.ts";
import { displayWidth } from "./width.ts";

type Lines = readonly (string | undefined)[];
type LinesOf = (record: DumpRecord) => Lines;
const none: LinesOf = () => [];

/** In the order of the screen; what is `none` here is the business of who prints it. */
const LINES = {
  What: what,
  Crash: ({ crash }) => (crash ? crashLines(crash) : []),
  Stack: ({ crash }) => (crash ? stackLines(crash).map((line) => line.trim()) : []),
  Process: none,
  Where: where,
  Image: image,
  When: when,
  Core: none,
  Claim: none,
  "Held up": heldUp,
  Stored: stored,
  Repeats: none,
  Note: none,
  Warnings: ({ warnings }) => warnings.map(printable),
  Next: none,
} as const satisfies Record<string, LinesOf>;

/** @param name  @param words  what is said beside it  @param own  lines that only this place has; a label without any is left out */
export function screenOf(
  record: DumpRecord,
  {
    name,
    words,
    ...own
  }: { readonly name: string; readonly words: readonly string[] } & Partial<
    Readonly<Record<keyof typeof LINES, Lines>>
  >,
): string {
  const lines = Object.entries<LinesOf>(LINES).flatMap(([label, common]) =>
    (own[label as keyof typeof LINES] ?? common(record))
      .filter((text) => text !== undefined && text !== "")
      .map((text, at) => `  ${(at === 0 ? label : "").padEnd(9)} ${text}\n`),
  );
  const gap = " ".repeat(Math.max(2, 60 - name.length));
  return `${coloured("bold", name)}${gap}${words.join(", ")}\n${lines.join("")}`;
}

function what({ executable, comm, signal, threads, threadCount, threadName }: DumpRecord): Lines {
  const crashed = threads.find((thread) => thread.crashed);
  const name = crashed?.name ?? threadName;
  const thread =
    crashed && (threadCount ?? 1) > 1
      ? `, thread ${crashed.tid}${name === null ? "" : ` "${printable(name)}"`}, one of ${threadCount}`
      : "";
  return [`${programName(executable || "a process", comm)} was killed by ${signalWords(signal)}${thread}`];
}

function where(record: DumpRecord): Lines {
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
  const name = container && (container.name ?? container.id.slice(0, 12));
  const named = name === null ? undefined : `container ${printable(name)}${attempt}`;
  if (pod) return `namespace ${printable(pod.namespace)}, pod ${printable(pod.name)}, ${named ?? "container unknown"}`;
  if (named === undefined) return "a container that could not be named";
  return owner === "docker" ? `Docker ${named}` : named;
}

/** Its host name, where it is another than an engine would have given it. */
function ownName({ owner, hostname, pod, container }: DumpRecord): string | undefined {
  if (owner === "host" || hostname === null || hostname === pod?.name) return undefined;
  return container?.id.startsWith(hostname) ? undefined : `called itself ${printable(hostname)}`;
}

function image({ container }: DumpRecord): Lines {
  if (!container) return [];
  const known = [container.image ?? "unknown", container.imageDigest].filter((part) => part !== null);
  return [known.map(printable).join(" ")];
}

function when({ dumptime, uptimeMs }: DumpRecord): Lines {
  if (dumptime === "") return [];
  const up = uptimeMs === null ? "" : `, process was up ${formatDuration(uptimeMs)}`;
  return [`${printable(dumptime.replace("T", " "))}${up}`];
}

/** @param cut  what cut an incomplete one */
export function coreLines({ core }: DumpRecord, cut: string): Lines {
  const { storedBytes, expectedBytes, logicalBytes, complete, sha256 } = core;
  const length = expectedBytes ?? logicalBytes;
  const proof = complete === null ? "completeness not known yet" : complete ? "expected size reached" : cut;
  return [
    `${bytes(storedBytes)} held${length === null ? "" : ` of a file of ${bytes(length)}`}, ${proof}`,
    sha256 === null ? undefined : `sha256 ${printable(sha256)}`,
  ];
}

function heldUp({ heldMs, owner }: DumpRecord): Lines {
  if (heldMs === null) return [];
  return [`${owner === "host" ? "the process's end" : "the container's restart"} for ${formatDuration(heldMs)}`];
}

function stored({ state, bundle }: DumpRecord): Lines {
  if (state !== "Saved" || bundle === null) return [];
  const size = bundle.sizeBytes > 0 ? formatBytes(bundle.sizeBytes) : "unknown";
  return [`${printable(`${bundle.volume.replace(/\/$/, "")}/${bundle.key}`)} (${size})`];
}

/** A word of a command to paste, as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w./+:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Commands to paste, and what each is for. */
export function pasteLines(steps: readonly (readonly [command: string, why: string])[]): Lines {
  const width = Math.max(...steps.map(([step]) => displayWidth(step)));
  return steps.map(([step, why]) => `${step.padEnd(width)}   ${why}`);
}
