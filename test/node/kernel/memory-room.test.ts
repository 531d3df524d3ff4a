import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { memoryRoom } from "../../../src/node/kernel/memory-room.ts";
import { tempDir } from "../../support/tmp.ts";

const KIB = 1024;
const NO_LIMIT_V1 = "9223372036854771712\n";

/** Files below /sys/fs/cgroup; each folder has its `cgroup.procs`. */
type Tree = Readonly<Record<string, string | number>>;

const v1 = (dir: string, limit: string | number, usage: number): Tree => ({
  [`memory${dir}/memory.limit_in_bytes`]: limit,
  [`memory${dir}/memory.usage_in_bytes`]: usage,
});
const v2 = (dir: string, max: string | number, usage: number, high: string | number = "max\n"): Tree => ({
  [`${dir}/memory.max`]: max,
  [`${dir}/memory.high`]: high,
  [`${dir}/memory.current`]: usage,
});
const V1_LINES = "9:name=systemd:/x\n4:memory:/pods/a\n0::/\n";
const PODS = { "pods/cgroup.procs": "", "pods/a/cgroup.procs": "", "cgroup.procs": "" };

const cases: readonly { on: string; cgroup: string; tree: Tree; want: number | undefined }[] = [
  {
    on: "v1: the cgroup's own limit",
    cgroup: V1_LINES,
    tree: { ...v1("", NO_LIMIT_V1, 1), ...v1("/pods", NO_LIMIT_V1, 5), ...v1("/pods/a", 900 * KIB, 500 * KIB) },
    want: 400 * KIB,
  },
  {
    on: "v1: a narrower one above it",
    cgroup: V1_LINES,
    tree: { ...v1("", NO_LIMIT_V1, 1), ...v1("/pods", 800 * KIB, 700 * KIB), ...v1("/pods/a", 900 * KIB, 500 * KIB) },
    want: 100 * KIB,
  },
  {
    on: "v1: kernel memory's own",
    cgroup: V1_LINES,
    tree: {
      ...v1("", NO_LIMIT_V1, 1),
      ...v1("/pods/a", 900 * KIB, 500 * KIB),
      "memory/pods/a/memory.kmem.limit_in_bytes": 50 * KIB,
      "memory/pods/a/memory.kmem.usage_in_bytes": 40 * KIB,
    },
    want: 10 * KIB,
  },
  {
    on: "v2: the lowest of all, and no files at the root",
    cgroup: "0::/pods/a\n",
    tree: { ...PODS, ...v2("pods", 900 * KIB, 100 * KIB, 300 * KIB), ...v2("pods/a", 700 * KIB, 100 * KIB) },
    want: 200 * KIB,
  },
  {
    on: "v2: over memory.high already",
    cgroup: "0::/pods/a\n",
    tree: { ...PODS, ...v2("pods/a", "max\n", 100 * KIB, 60 * KIB) },
    want: -40 * KIB,
  },
  {
    on: "v2 without any limit",
    cgroup: "0::/pods/a\n",
    tree: { ...PODS, ...v2("pods/a", "max\n", 5) },
    want: Number.MAX_SAFE_INTEGER,
  },
  { on: "a cgroup that was removed", cgroup: "0::/pods/b (deleted)\n", tree: PODS, want: undefined },
  { on: "a hierarchy that is mounted elsewhere", cgroup: "4:memory:/pods/a\n", tree: PODS, want: undefined },
  { on: "no cgroup at all", cgroup: "", tree: PODS, want: undefined },
  { on: "more levels than any engine makes", cgroup: `0::${"/a".repeat(65)}\n`, tree: PODS, want: undefined },
  {
    on: "a limit that is no number",
    cgroup: "0::/pods/a\n",
    tree: { ...PODS, ...v2("pods/a", "?", 5) },
    want: undefined,
  },
];
for (const { on, cgroup, tree, want } of cases) {
  test(`memoryRoom() of ${on}`, () => {
    using root = tempDir();
    for (const [path, text] of Object.entries(tree)) {
      const dir = join(root.path, dirname(path));
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(root.path, path), `${text}`);
      writeFileSync(join(dir, "cgroup.procs"), "");
    }
    assert.equal(memoryRoom(Buffer.from(cgroup), root.path), want);
  });
}
