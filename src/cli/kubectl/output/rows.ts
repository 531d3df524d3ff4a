/** Coredumps as a table, as `kubectl get` would show them. */
import { printable } from "../../../domain/text.ts";
import { formatDuration } from "../../../domain/units.ts";
import type { Coredump } from "../../../kube/coredump.ts";
import { byAge, crashedAtMs } from "../../client/named.ts";
import { programName } from "../../output/describe.ts";
import { colourOf } from "../../output/list.ts";
import type { Column } from "../../output/table.ts";
import { bytesOf } from "./quantity.ts";

const orNone = (value: unknown): string => (value === undefined || value === "" ? "<none>" : printable(String(value)));
const stateOf = ({ status }: Coredump): string => orNone(status?.state);

const executable = ({ spec: { filename, comm } }: Coredump): string =>
  filename ? programName(filename, comm) : orNone(filename);

export const columns = (now: Date, { wide = false, namespaces = false } = {}): readonly Column<Coredump>[] => [
  ...(namespaces ? [{ title: "NAMESPACE", text: ({ metadata }: Coredump) => orNone(metadata.namespace) }] : []),
  { title: "NAME", text: ({ metadata }) => printable(metadata.name) },
  {
    title: "STATE",
    text: stateOf,
    colour: ({ status }) => colourOf(status?.state),
  },
  { title: "POD", text: ({ spec }) => orNone(spec.pod), ...(!wide && { maxColumns: 40 }) },
  { title: "CONTAINER", text: ({ spec }) => orNone(spec.containerName), ...(!wide && { maxColumns: 24 }) },
  { title: "EXECUTABLE", text: executable, ...(!wide && { maxColumns: 32 }) },
  { title: "SIGNAL", text: ({ spec }) => orNone(spec.signal?.name) },
  { title: "SIZE", text: ({ spec }) => short(bytesOf(spec.size)) },
  { title: "NODE", text: ({ spec }) => orNone(spec.node), ...(!wide && { maxColumns: 30 }) },
  { title: "AGE", text: (coredump) => age(coredump, now) },
  { title: "CRASH", text: ({ status }) => orNone(status?.crash?.title), ...(!wide && { maxColumns: 64 }) },
  ...(wide ? WIDE : []),
];

const WIDE: readonly Column<Coredump>[] = [
  { title: "COMPLETE", text: ({ status }) => orNone(status?.complete) },
  { title: "REASON", text: ({ status }) => orNone(status?.reason) },
  { title: "REPEATS", text: ({ status }) => orNone(status?.repeats) },
  { title: "PID", text: ({ spec }) => orNone(spec.pid) },
  { title: "IMAGE", text: ({ spec }) => orNone(spec.image) },
  { title: "VOLUME", text: ({ spec }) => orNone(spec.volume) },
];

/** `214Mi`, as kubectl writes sizes. */
function short(bytes: bigint | undefined): string {
  if (bytes === undefined) return "<none>";
  const units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
  let [value, unit] = [Number(bytes), 0];
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1024;
  return `${value < 9.95 && unit > 0 ? Number(value.toFixed(1)) : Math.round(value)}${units[unit]}`;
}

function age(coredump: Coredump, now: Date): string {
  const ms = now.getTime() - crashedAtMs(coredump);
  return Number.isNaN(ms) ? "<unknown>" : formatDuration(Math.max(0, Math.floor(ms / 1000)) * 1000);
}

export const ORDERS: Readonly<Record<string, (a: Coredump, b: Coredump) => number>> = {
  age: byAge,
  size: (a, b) => compared(bytesOf(b.spec.size) ?? -1n, bytesOf(a.spec.size) ?? -1n), // the largest first
  name: (a, b) => compared(a.metadata.name, b.metadata.name),
  pod: (a, b) => compared(a.spec.pod ?? "", b.spec.pod ?? ""),
  state: (a, b) => compared(stateOf(a), stateOf(b)),
};

const compared = <T extends string | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** As `kubectl get -o name` prints it; commands take it as a name. */
export const nameLine = ({ metadata }: Coredump): string => `coredump.coredump.fujitsu.com/${metadata.name}\n`;
