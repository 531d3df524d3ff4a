/** The import arrows as data (docs/architecture.md, rules 7 and 8): a wrong arrow fails, and so does a rule that nothing needs. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./support/paths.ts";

/** Folder → folders that it may import; `=` before one: types only. The stages do not import one another: roles join them. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  config: ["domain"],
  system: ["domain"],
  elf: ["domain"],
  crash: ["domain", "elf"],
  policy: ["domain", "=identity"],
  kernel: ["config", "domain", "elf", "system"],
  cache: ["=config", "domain", "elf", "system"],
  identity: ["=config", "domain", "system"],
  install: ["cache", "config", "domain", "kernel", "system"],
  doctor: ["cache", "=config", "domain", "identity", "install", "kernel"],
  roles: [
    "admission",
    "apiserver",
    "cache",
    "config",
    "crash",
    "delivery",
    "doctor",
    "domain",
    "download",
    "elf",
    "identity",
    "install",
    "kernel",
    "kube",
    "pki",
    "policy",
    "registration",
    "retention",
    "storage",
    "store",
    "system",
    "upload",
  ],
  commands: [
    "cache",
    "check",
    "config",
    "crash",
    "doctor",
    "domain",
    "elf",
    "install",
    "kube",
    "plugin",
    "roles",
    "system",
  ],
  main: ["commands", "kernel", "roles", "system"],
  bundle: ["domain"],
  check: ["domain", "install", "kube", "policy", "=registration"],
  delivery: ["domain", "system"],
  kube: ["domain"],
  plugin: ["bundle", "domain", "elf", "kube", "system"],
  registration: ["domain", "kube"],
  admission: ["domain"],
  pki: [],
  upload: ["bundle", "domain", "system"],
  download: ["bundle", "domain", "kube"],
  store: ["bundle", "=config", "domain", "=download", "=retention", "=upload"],
  storage: ["=config", "domain", "system"],
  apiserver: ["domain", "download", "kube", "=storage", "system"],
  retention: ["bundle", "domain", "kube", "policy"],
};
/** Ahead of its roles: what no role joins yet. An entry goes when all of it is needed. */
const AHEAD: readonly string[] = [];
const MAX_FILE_LINES = 300;
const MAX_ENTRY_LINES = 60;

interface Import {
  /** A file of ours from `src/` on, or a package. */
  readonly to: string;
  /** `later`: by import(), when it is needed. */
  readonly kind: "value" | "type" | "later";
}

interface SourceFile {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

const STATIC = /^(?:import|export)\s(type\s)?(?:[^"';]*?\sfrom\s)?\s*"([^"]+)"/gm;
const LATER = /\bimport\("([^"]+)"\)/g;

/** Reads imports by their shape alone: the formatter and the linter leave them no other. */
function importsIn(path: string, text: string): Import[] {
  const to = (name: string) => (name.startsWith(".") ? join(dirname(path), name) : name);
  return [
    ...text.matchAll(STATIC).map(([, type, name = ""]): Import => ({ to: to(name), kind: type ? "type" : "value" })),
    ...text.matchAll(LATER).map(([, name = ""]): Import => ({ to: to(name), kind: "later" })),
  ];
}

const FILES: ReadonlyMap<string, SourceFile> = new Map(
  globSync("src/**/*.ts", { cwd: ROOT }).map((path) => {
    const text = readFileSync(join(ROOT, path), "utf8");
    return [path, { path, lines: text.split("\n").length - 1, imports: importsIn(path, text) }];
  }),
);

/** `src/kernel/drain.ts` → `kernel`; files in `src` itself are folders of their own. */
const folderOf = (path: string): string => path.split("/")[1]?.replace(/\.ts$/, "") ?? "";
const isAhead = (path: string): boolean => AHEAD.some((ahead) => path.startsWith(ahead));
const isOurs = (to: string): boolean => to.startsWith("src/");
const isPackage = (to: string): boolean => !isOurs(to) && !to.startsWith("node:");

const crossings = [...FILES.values()].flatMap(({ path, imports }) =>
  imports
    .filter(({ to }) => isOurs(to) && folderOf(to) !== folderOf(path))
    .map(({ to, kind }) => ({ path, to, from: folderOf(path), into: folderOf(to), typeOnly: kind === "type" })),
);

/** All files that `start` needs, by imports of these kinds. */
function reach(start: string, kinds: readonly Import["kind"][]): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const queue = [start]; queue.length > 0; ) {
    const path = queue.pop() ?? "";
    if (seen.has(path)) continue;
    seen.add(path);
    queue.push(...(FILES.get(path)?.imports ?? []).filter(({ kind }) => kinds.includes(kind)).map(({ to }) => to));
  }
  return seen;
}

test("importsIn() tells the kinds of import apart", () => {
  const text = [
    'import { a,\n  b } from "./a.ts";',
    'import type { C } from "node:c";',
    'export { d } from "../d.ts";',
    'import "e";',
    'const { f } = await import("./f.ts");',
    'export const g = "./g.ts";',
  ].join("\n");
  assert.deepEqual(importsIn("src/x/y.ts", text), [
    { to: "src/x/a.ts", kind: "value" },
    { to: "node:c", kind: "type" },
    { to: "src/d.ts", kind: "value" },
    { to: "e", kind: "value" },
    { to: "src/x/f.ts", kind: "later" },
  ]);
});

test("every import across folders is an arrow", () => {
  const wrong = crossings.filter(({ from, into, typeOnly }) => {
    const arrows = ARROWS[from] ?? [];
    return !arrows.includes(into) && !(typeOnly && arrows.includes(`=${into}`));
  });
  assert.deepEqual(
    wrong.map(({ path, to }) => `${path} → ${to}`),
    [],
  );
});

test("every arrow is needed, and as strong as it is", () => {
  for (const [from, arrows] of Object.entries(ARROWS)) {
    for (const arrow of isAhead(`src/${from}/`) ? [] : arrows) {
      const used = crossings.filter((each) => each.from === from && each.into === arrow.replace("=", ""));
      assert.ok(used.length > 0, `nothing needs ${from} → ${arrow}`);
      assert.ok(
        arrow.startsWith("=") || used.some(({ typeOnly }) => !typeOnly),
        `${from} → ${arrow} is for types only`,
      );
    }
  }
});

test("folders do not go round in circles, types included", () => {
  for (const [from, arrows] of Object.entries(ARROWS)) {
    for (const into of arrows.map((arrow) => arrow.replace("=", "")))
      assert.ok(beneath(into).has(into) && !beneath(into).has(from), `${from} → ${into} → … → ${from}`);
  }
  const there = new Set([...FILES.keys()].map(folderOf));
  assert.deepEqual(
    [...there].filter((folder) => !ARROWS[folder]),
    [],
    "no arrows are declared",
  );
  assert.deepEqual(
    Object.keys(ARROWS).filter((folder) => !there.has(folder) && !isAhead(`src/${folder}/`)),
    [],
    "not there",
  );

  function beneath(folder: string): ReadonlySet<string> {
    const seen = new Set<string>([folder]);
    for (const each of seen) for (const arrow of ARROWS[each] ?? []) seen.add(arrow.replace("=", ""));
    return seen;
  }
});

test("files do not import one another in circles", () => {
  for (const { path, imports } of FILES.values()) {
    for (const { to, kind } of imports.filter(({ kind }) => kind !== "type"))
      assert.ok(!reach(to, ["value", "later"]).has(path), `${path} → ${to} (${kind}) → … → ${path}`);
  }
});

for (const entry of ["src/roles/handler/handler.ts", "src/roles/handler/host.ts", "src/main.ts"]) {
  test(`${entry} needs no package before it asks for one`, () => {
    assert.deepEqual([...reach(entry, ["value"])].filter(isPackage), []);
  });
}

test("main.ts has decided whose call it is before it loads anything else", () => {
  const folders = new Set([...reach("src/main.ts", ["value"])].filter(isOurs).map(folderOf));
  assert.deepEqual([...folders].sort(), ["config", "domain", "kernel", "main"]);
});

test("every import of ours leads to a file, and every file is needed", () => {
  const needed = reach("src/main.ts", ["value", "type", "later"]);
  assert.deepEqual([...needed].filter((path) => isOurs(path) && !FILES.has(path)).sort(), [], "not there");
  const idle = [...FILES.keys()].filter((path) => !needed.has(path));
  assert.deepEqual(idle.filter((path) => !isAhead(path)).sort(), [], "needed by nothing");
  const joined = AHEAD.filter(
    (ahead) => !idle.some((path) => path.startsWith(ahead)) && FILES.keys().some((path) => path.startsWith(ahead)),
  );
  assert.deepEqual(joined, [], "no longer ahead");
});

test("files stay short", () => {
  const lengths = [...FILES.values()].map(({ lines }) => lines).sort((a, b) => a - b);
  assert.deepEqual(
    [...FILES.values()].filter(({ lines }) => lines > MAX_FILE_LINES).map(({ path }) => path),
    [],
  );
  assert.ok((lengths[lengths.length >> 1] ?? 0) <= 80, "half of them in 80 lines or less");
  assert.ok((FILES.get("src/main.ts")?.lines ?? 0) <= MAX_ENTRY_LINES);
});
