/** What stands in `record.json`, checked field by field: nobody who reads a record has to expect anything else. */
import type { CrashFrame } from "../../domain/crash.ts";
import type { DumpRecord } from "../../domain/dump.ts";

type Shape = "string" | "number" | "boolean" | OrNull | readonly [Shape] | { readonly [name: string]: Shape };
class OrNull<S = unknown> {
  readonly shape: S;
  constructor(shape: S) {
    this.shape = shape;
  }
}
const orNull = <const S>(shape: S): OrNull<S> => new OrNull(shape);

/** The shape of a type: so the compiler says when the one below and domain/dump.ts part company. */
type ShapeOf<T> = null extends T
  ? OrNull<ShapeOf<NonNullable<T>>>
  : T extends string
    ? "string"
    : T extends number
      ? "number"
      : T extends boolean
        ? "boolean"
        : T extends readonly (infer Item)[]
          ? readonly [ShapeOf<Item>]
          : { readonly [K in keyof T]-?: ShapeOf<T[K]> };

const [text, count] = [orNull("string"), orNull("number")];

const FRAME: ShapeOf<CrashFrame> = {
  function: text,
  module: count,
  pc: "string",
  offset: count,
  functionOffset: count,
  file: text,
  line: count,
  inlined: "boolean",
  kind: "string",
  trust: "string",
};

const RECORD: ShapeOf<DumpRecord> = {
  version: "number",
  id: "string",
  state: "string",
  reason: text,
  message: text,
  dumptime: "string",
  updated: "string",
  hostPid: "number",
  hostTid: count,
  containerPid: count,
  executable: "string",
  exe: text,
  comm: text,
  threadName: text,
  signal: orNull({ number: "number", name: "string", code: count, codeText: text, faultAddress: text }),
  threads: [{ tid: "number", name: text, crashed: "boolean" }],
  threadCount: count,
  processUid: count,
  processGid: count,
  dumpable: count,
  coreLimit: text,
  uptimeMs: count,
  heldMs: count,
  node: "string",
  hostname: text,
  owner: "string",
  container: orNull({ runtime: "string", id: "string", name: text, image: text, imageDigest: text, attempt: count }),
  pod: orNull({ namespace: "string", name: "string", uid: "string" }),
  identity: { source: "string", confirmed: "boolean", problem: text, cgroup: text },
  core: {
    path: text,
    sizeBytes: count,
    storedBytes: count,
    logicalBytes: count,
    expectedBytes: count,
    complete: orNull("boolean"),
    sha256: text,
    truncation: text,
    capture: text,
  },
  cluster: orNull({
    name: "string",
    objectUid: "string",
    resourceVersion: "string",
    namespaceUid: "string",
    crdUid: "string",
    clusterUid: "string",
  }),
  bundle: orNull({ volume: "string", key: "string", sizeBytes: "number", checksum: "string" }),
  delivery: orNull({ state: "string", claim: "string", reason: text, message: text, since: "string" }),
  crash: orNull({
    title: "string",
    fingerprint: text,
    site: text,
    version: "number",
    problem: text,
    runtime: orNull({ name: "string", version: text }),
    stack: [FRAME],
    deeper: "boolean",
    threads: [{ tid: "number", name: text, crashed: "boolean", stack: [FRAME] }],
    modules: [
      {
        path: "string",
        buildId: text,
        start: "string",
        end: "string",
        sha256: text,
        state: "string",
        package: orNull({ name: "string", version: "string", os: text }),
        go: orNull({ module: "string", version: "string", revision: text }),
      },
    ],
  }),
  warnings: ["string"],
};

/**
 * The record that some JSON is, or undefined. A field that may be null may be missing too: an earlier version of ours
 * did not know it yet. Fields of a later one stay as they are.
 */
export function recordFrom(json: unknown): DumpRecord | undefined {
  const record = shaped(json, RECORD);
  return record === OTHER ? undefined : (record as DumpRecord);
}

const OTHER = Symbol("of another shape");

function shaped(value: unknown, shape: Shape): unknown {
  if (shape === "number") return Number.isSafeInteger(value) ? value : OTHER; // all of them count something
  if (typeof shape === "string") return typeof value === shape ? value : OTHER;
  if (shape instanceof OrNull)
    return value === undefined || value === null ? null : shaped(value, shape.shape as Shape);
  if (isList(shape)) {
    const items = Array.isArray(value) ? value.map((item) => shaped(item, shape[0])) : [OTHER];
    return items.includes(OTHER) ? OTHER : items;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return OTHER;
  const given = value as Readonly<Record<string, unknown>>;
  const fields = Object.entries(shape).map(([name, field]) => [name, shaped(given[name], field)] as const);
  return fields.some(([, field]) => field === OTHER) ? OTHER : { ...given, ...Object.fromEntries(fields) };
}

/** Array.isArray() does not narrow read-only ones. */
const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);
