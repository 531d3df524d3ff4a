/** What `kubectl get` prints (meta.k8s.io Table), and metadata alone (PartialObjectMetadata). */
import type { AcceptedForm } from "./accept.ts";
import type { CoredumpEndpoint } from "./kind.ts";

const META = "meta.k8s.io";

type Cell = (endpoint: CoredumpEndpoint, nowMs: number) => string;

/** Priority 0: always; 1: with `-o wide`. */
const COLUMNS: readonly (readonly [name: string, description: string, priority: 0 | 1, cell: Cell])[] = [
  ["Name", "Name of the endpoint.", 0, ({ metadata }) => metadata.name],
  ["Pod", "Name of the pod.", 0, ({ metadata, spec }) => spec.podname ?? metadata.name],
  ["Pod UID", "UID of the pod.", 0, ({ spec }) => spec.poduid],
  ["Age", "Time since it was made.", 0, ageOf],
  ["Message", "What has become of it.", 1, ({ status }) => status?.message ?? ""],
];

const DEFINITIONS = COLUMNS.map(([name, description, priority]) => ({
  ...{ name, type: "string", priority, description, format: name === "Name" ? "name" : "" },
}));

/** How much of each object goes along with its row. */
export type IncludeObject = "None" | "Metadata" | "Object";

export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

interface TableForm {
  readonly version: AcceptedForm["version"];
  readonly include: IncludeObject;
  readonly withColumns: boolean;
}

/** @param withColumns  in a watch only the first table says what its columns are */
export function tableOf(
  endpoints: readonly CoredumpEndpoint[],
  metadata: ListMeta,
  { version, include, withColumns }: TableForm,
): Record<string, unknown> {
  const nowMs = Date.now();
  const rows = endpoints.map((endpoint) => ({
    cells: COLUMNS.map(([, , , cell]) => cell(endpoint, nowMs)),
    ...(include !== "None" && { object: include === "Object" ? endpoint : partialOf(endpoint, version) }),
  }));
  const columns = withColumns ? DEFINITIONS : null;
  return { kind: "Table", apiVersion: `${META}/${version}`, metadata, columnDefinitions: columns, rows };
}

export const partialOf = (
  { metadata }: Pick<CoredumpEndpoint, "metadata">,
  version: AcceptedForm["version"],
): object => ({
  kind: "PartialObjectMetadata",
  apiVersion: `${META}/${version}`,
  metadata,
});

export const partialListOf = (
  endpoints: readonly CoredumpEndpoint[],
  metadata: ListMeta,
  version: AcceptedForm["version"],
): Record<string, unknown> => ({
  kind: "PartialObjectMetadataList",
  apiVersion: `${META}/${version}`,
  metadata,
  items: endpoints.map((endpoint) => partialOf(endpoint, version)),
});

function ageOf({ metadata }: CoredumpEndpoint, nowMs: number): string {
  const createdMs = Date.parse(metadata.creationTimestamp);
  return Number.isNaN(createdMs) ? "<unknown>" : ageInWords(nowMs - createdMs);
}

const S = 1;
const M = 60;
const H = 3600;
const D = 86_400;

/** A time in two units at most, as kubectl has it: 119s, 4m3s, 59m, 5h12m, 47h, 3d4h, 42d, 2y100d. */
export function ageInWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 0) return "0s";
  const in2 = (unit: number, name: string, lesser: number, lesserName: string) => {
    const rest = Math.floor((seconds % unit) / lesser);
    return `${Math.floor(seconds / unit)}${name}${rest > 0 ? `${rest}${lesserName}` : ""}`;
  };
  if (seconds < 2 * M) return `${seconds}s`;
  if (seconds < 10 * M) return in2(M, "m", S, "s");
  if (seconds < 3 * H) return `${Math.floor(seconds / M)}m`;
  if (seconds < 8 * H) return in2(H, "h", M, "m");
  if (seconds < 2 * D) return `${Math.floor(seconds / H)}h`;
  if (seconds < 8 * D) return in2(D, "d", H, "h");
  if (seconds < 2 * 365 * D) return `${Math.floor(seconds / D)}d`;
  if (seconds < 8 * 365 * D) return in2(365 * D, "y", D, "d");
  return `${Math.floor(seconds / (365 * D))}y`;
}
