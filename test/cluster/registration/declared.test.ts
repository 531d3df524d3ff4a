/** The Coredump is declared once (src/kube/coredump.ts): the schema, the printed columns and the plugin's have what it has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { columns } from "../../../src/cli/kubectl/output/rows.ts";
import type { Coredump } from "../../../src/kube/coredump.ts";
import { COLUMNS, COREDUMP_SCHEMA, faults, type Schema, SELECTABLE } from "./schema.ts";

type Whole<T> = T extends readonly (infer Item)[]
  ? readonly [Whole<Item>]
  : T extends object
    ? { readonly [K in keyof T]-?: Whole<NonNullable<T[K]>> }
    : T;

const [UUID, HEX] = ["019e0000-0000-7000-8000-3f9c2a71b0de", "4be0".repeat(16)];
const FRAME = {
  ...{ function: "f", module: 0, pc: "0x1", offset: 1, functionOffset: 1, file: "a.c", line: 1, inlined: true },
  kind: "native",
  trust: "cfi",
} as const;

/** Every field that is declared: the compiler misses one that is new. */
const WHOLE: Whole<Pick<Coredump, "spec" | "status">> = {
  spec: {
    ...{ id: UUID, node: "node-1", namespaceUid: UUID, pod: "web-0", uid: UUID, containerName: "nginx", attempt: 1 },
    ...{ image: "nginx:1", imageDigest: `sha256:${HEX}`, pid: 1, containerPid: 1, processUid: 1, processGid: 1 },
    ...{ filename: "nginx", exe: "/usr/sbin/nginx", comm: "nginx", signal: { number: 11, name: "SIGSEGV" } },
    ...{ processUptimeMs: 1, dumptime: "2026-11-21T07:21:03.512Z", volume: "s3://cores", size: "1" },
  },
  status: {
    ...{ state: "Saved", reason: "Truncated", message: "cut short", complete: false, displaySize: "1Ki", key: "k" },
    conditions: [
      {
        ...{ type: "Stored", status: "True", reason: "Verified", message: "" },
        lastTransitionTime: "2026-11-21T07:21:03.512Z",
      },
    ],
    ...{ logicalSize: "1", expectedSize: "1", bundleSize: "1", checksum: `sha256:${HEX}`, signalCode: 1 },
    ...{ faultAddress: "0x0", heldMs: 1, threadCount: 1, repeats: 1, threads: [{ tid: 1, name: "t", crashed: true }] },
    crash: {
      ...{ title: "t", fingerprint: "0123456789ab", site: "0123456789ab", version: 1, problem: "p", deeper: true },
      ...{ runtime: { name: "go", version: "1" }, stack: [FRAME] },
      threads: [{ tid: 1, name: "t", crashed: false, stack: [FRAME] }],
      modules: [
        {
          ...{ path: "/a", buildId: "ab", start: "0x0", end: "0x1", sha256: HEX, state: "read" },
          package: { name: "a", version: "1", os: "debian" },
          go: { module: "m", version: "1", revision: "r" },
        },
      ],
    },
  },
};

/** Not ours to write, but allowed. */
const OTHERS = ["status.conditions.observedGeneration"];

const propertiesOf = (schema: Schema, path: string): string[] =>
  Object.entries(schema.properties ?? schema.items?.properties ?? {}).flatMap(([name, field]) => [
    `${path}${name}`,
    ...propertiesOf(field, `${path}${name}.`),
  ]);

function namesIn(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return namesIn(value[0], path);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => [`${path}${name}`, ...namesIn(field, `${path}${name}.`)]);
}

test("the schema has every field of a Coredump, and no other", () => {
  assert.deepEqual(faults(WHOLE, COREDUMP_SCHEMA), []);
  const own = propertiesOf(COREDUMP_SCHEMA, "").filter((path) => /^(spec|status)/.test(path) && !OTHERS.includes(path));
  assert.deepEqual(own.sort(), namesIn(WHOLE, "").sort());
});

test("what kubectl prints and selects by are fields of a Coredump", () => {
  const names = namesIn(WHOLE, ".");
  for (const { jsonPath } of [...COLUMNS, ...SELECTABLE]) assert.ok(names.includes(jsonPath), jsonPath);
});

test("the plugin's list has kubectl's columns", () => {
  const titles = columns(new Date(), { wide: true }).map(({ title }) => title);
  assert.deepEqual(titles, ["NAME", ...COLUMNS.map(({ name }) => name.toUpperCase())]);
});
