/** Coredumps as a table, as `kubectl get` would show them. */
import { bytesIn } from "../../../domain/quantity.ts";
import { formatDuration, shortBytes } from "../../../domain/units.ts";
import type { Coredump } from "../../../kube/coredump.ts";
import { byAge } from "../../client/named.ts";
import { programName } from "../../output/describe.ts";
import { colourOf } from "../../output/list.ts";
import type { Column } from "../../output/table.ts";

/** As the API server's own table has them (install/crd/coredumps.yaml), and so `<none>` where nothing is known. */
export function columns(now: Date, { wide = false, namespaces = false } = {}): readonly Column<Coredump>[] {
  const shown = [...(namespaces ? NAMESPACE : []), ...narrow(now), ...(wide ? WIDE : [])];
  return shown.map(({ maxColumns, ...column }) => ({
    none: "<none>",
    ...column,
    ...(!wide && maxColumns !== undefined && { maxColumns }),
  }));
}

const NAMESPACE: readonly Column<Coredump>[] = [{ title: "NAMESPACE", text: ({ metadata }) => metadata.namespace }];

const narrow = (now: Date): readonly Column<Coredump>[] => [
  { title: "NAME", text: ({ metadata }) => metadata.name },
  { title: "STATE", text: ({ status }) => status?.state, colour: ({ status }) => colourOf(status?.state) },
  { title: "POD", text: ({ spec }) => spec.pod, maxColumns: 40 },
  { title: "CONTAINER", text: ({ spec }) => spec.containerName, maxColumns: 24 },
  {
    title: "EXECUTABLE",
    text: ({ spec: { filename, comm } }) => filename && programName(filename, comm),
    maxColumns: 32,
  },
  { title: "SIGNAL", text: ({ spec }) => spec.signal?.name },
  { title: "SIZE", text: ({ spec }) => sizeOf(spec.size) },
  { title: "NODE", text: ({ spec }) => spec.node, maxColumns: 30 },
  {
    title: "AGE",
    text: ({ spec, metadata }) => age(spec.dumptime ?? metadata.creationTimestamp, now),
    none: "<unknown>",
  },
  { title: "CRASH", text: ({ status }) => status?.crash?.title, maxColumns: 64 },
];

const WIDE: readonly Column<Coredump>[] = [
  { title: "COMPLETE", text: ({ status }) => status?.complete },
  { title: "REASON", text: ({ status }) => status?.reason },
  { title: "REPEATS", text: ({ status }) => status?.repeats },
  { title: "PID", text: ({ spec }) => spec.pid },
  { title: "IMAGE", text: ({ spec }) => spec.image },
  { title: "VOLUME", text: ({ spec }) => spec.volume },
];

function sizeOf(quantity: string | number | undefined): string | undefined {
  const bytes = bytesIn(quantity);
  return bytes === undefined ? undefined : shortBytes(bytes);
}

/** As kubectl writes it, which knows no time to come. */
export function age(time: string | undefined, now: Date): string | undefined {
  const ms = now.getTime() - Date.parse(time ?? "");
  return Number.isNaN(ms) ? undefined : formatDuration(Math.max(0, Math.floor(ms / 1000)) * 1000);
}

export const ORDERS: Readonly<Record<string, (a: Coredump, b: Coredump) => number>> = {
  age: byAge,
  size: (a, b) => compared(bytesIn(b.spec.size) ?? -1n, bytesIn(a.spec.size) ?? -1n), // the largest first
  name: (a, b) => compared(a.metadata.name, b.metadata.name),
  pod: (a, b) => compared(a.spec.pod ?? "", b.spec.pod ?? ""),
  state: (a, b) => compared(a.status?.state ?? "", b.status?.state ?? ""),
};

const compared = <T extends string | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** As `kubectl get -o name` prints it; commands take it as a name. */
export const nameLine = ({ metadata }: Coredump): string => `coredump.coredump.fujitsu.com/${metadata.name}\n`;
