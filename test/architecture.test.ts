/** The import arrows as data (docs/architecture.md, rules 7 and 8): a wrong arrow fails, and so does a rule that nothing needs. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./support/paths.ts";

/**
 * Room (a folder of src/) → the rooms that it may import; `=` before one: types only. The picture is docs/architecture.md's
 * map: what stands further up knows nothing of what stands below.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  system: ["domain"],
  config: ["domain"],
  kube: ["domain", "system"],
  crash: ["domain"],
  node: ["config", "crash", "domain", "system"],
  store: ["=config", "domain", "kube", "system"],
  cluster: ["config", "domain", "kube", "node", "store", "system"],
  webhook: ["=config", "domain", "kube", "system"],
  api: ["=config", "domain", "kube", "store", "system"],
  cli: ["cluster", "config", "crash", "domain", "kube", "node", "roles", "store", "system"],
  roles: ["api", "cluster", "config", "domain", "kube", "node", "store", "system", "webhook"],
  main: ["cli", "node", "roles", "system"],
};

/** Part of a room (its folder in it; the room's name alone: the files beside those) → parts of the same room that it may import. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  crash: ["crash/elf", "crash/image", "crash/names", "crash/process", "crash/python", "crash/unwind"],
  "crash/dwarf": ["crash/elf", "crash/image", "=crash/process"],
  "crash/elf": [],
  "crash/go": ["crash/elf", "crash/image"],
  "crash/image": ["crash/elf", "crash/process", "crash/xz"],
  "crash/names": ["crash/elf", "=crash/process"],
  "crash/process": ["crash/elf"],
  "crash/python": ["crash/elf", "crash/image", "=crash/process", "crash/unwind"],
  "crash/unwind": ["crash/dwarf", "crash/go", "crash/image", "crash/process"],
  "crash/xz": [],
  "node/cache": [],
  "node/capture": ["node/cache", "node/identity", "node/kernel"],
  "node/delivery": [],
  "node/doctor": ["node/cache", "node/identity", "node/install", "node/kernel"],
  "node/identity": [],
  "node/install": ["node/cache", "node/kernel"],
  "node/kernel": [],
  store: ["store/directory", "store/ports", "store/s3"],
  "store/bundle": [],
  "store/directory": ["store/bundle", "store/ports"],
  "store/download": ["store/bundle", "=store/ports"],
  "store/ports": [],
  "store/s3": ["store/bundle", "store/ports"],
  "store/upload": ["store/bundle", "=store/ports"],
  "cluster/collector": ["cluster/policy", "cluster/retention"],
  "cluster/controller": ["cluster/policy"],
  "cluster/policy": [],
  "cluster/registration": [],
  "cluster/retention": ["cluster/policy"],
  "cluster/steps": ["cluster/registration"],
  webhook: ["webhook/admission", "webhook/pki"],
  "webhook/admission": [],
  "webhook/pki": [],
  "api/server": ["=api/storage"],
  "api/storage": [],
  "cli/check": [],
  "cli/client": ["cli/output"],
  "cli/commands": ["cli/check", "cli/output"],
  "cli/kubectl": ["cli/check", "cli/client", "cli/commands", "cli/output"],
  "cli/output": [],
  "roles/agent": ["roles"],
  "roles/apiserver": ["roles"],
  "roles/controller": ["roles"],
  "roles/gc": ["roles", "roles/apiserver"],
  "roles/handler": ["=roles"],
  "roles/webhook": ["roles"],
};
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

const textOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const FILES: ReadonlyMap<string, SourceFile> = new Map(
  globSync("src/**/*.ts", { cwd: ROOT }).map((path) => {
    const text = textOf(path);
    return [path, { path, lines: text.split("\n").length - 1, imports: importsIn(path, text) }];
  }),
);

/** `src/node/kernel/drain.ts` → `node`; files in `src` itself are rooms of their own. */
const roomOf = (path: string): string => path.split("/")[1]?.replace(/\.ts$/, "") ?? "";
/** `src/node/kernel/drain.ts` → `node/kernel`. */
const partOf = (path: string): string => path.split("/").slice(1, -1).slice(0, 2).join("/") || roomOf(path);
const isOurs = (to: string): boolean => to.startsWith("src/");
const isPackage = (to: string): boolean => !isOurs(to) && !to.startsWith("node:");

interface Crossing {
  readonly path: string;
  readonly to: string;
  readonly from: string;
  readonly into: string;
  readonly typeOnly: boolean;
}

/** Imports that leave a room, or a part for another of the same room. */
const crossings = (of: (path: string) => string, within: (path: string) => string): Crossing[] =>
  [...FILES.values()].flatMap(({ path, imports }) =>
    imports
      .filter(({ to }) => isOurs(to) && of(to) !== of(path) && within(to) === within(path))
      .map(({ to, kind }) => ({ path, to, from: of(path), into: of(to), typeOnly: kind === "type" })),
  );
const LEVELS = [
  { level: "rooms", arrows: ROOMS, crossed: crossings(roomOf, () => "") },
  { level: "parts", arrows: PARTS, crossed: crossings(partOf, roomOf) },
];

const EVERY_KIND = ["value", "type", "later"] as const;

/** All that `start` leads to. */
function beneath(start: string, next: (from: string) => readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>([start]);
  for (const each of seen) for (const into of next(each)) seen.add(into);
  return seen;
}

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

for (const { level, arrows, crossed } of LEVELS) {
  test(`${level}: every import from one into another is an arrow`, () => {
    const wrong = crossed.filter(({ from, into, typeOnly }) => {
      const allowed = arrows[from] ?? [];
      return !allowed.includes(into) && !(typeOnly && allowed.includes(`=${into}`));
    });
    assert.deepEqual(
      wrong.map(({ path, to }) => `${path} → ${to}`),
      [],
    );
  });

  test(`${level}: every arrow is needed, and as strong as it is`, () => {
    for (const [from, into] of Object.entries(arrows).flatMap(([from, all]) => all.map((into) => [from, into]))) {
      const used = crossed.filter((each) => each.from === from && each.into === into?.replace("=", ""));
      assert.ok(used.length > 0, `nothing needs ${from} → ${into}`);
      assert.ok(into?.startsWith("=") || used.some(({ typeOnly }) => !typeOnly), `${from} → ${into} is for types only`);
    }
  });

  test(`${level} do not go round in circles, types included`, () => {
    const next = (from: string): string[] => (arrows[from] ?? []).map((into) => into.replace("=", ""));
    for (const [from, into] of Object.keys(arrows).flatMap((from) => next(from).map((into) => [from, into] as const)))
      assert.ok(!beneath(into, next).has(from), `${from} → ${into} → … → ${from}`);
  });
}

test("every room and part is in the tables", () => {
  const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();
  assert.deepEqual(sorted([...FILES.keys()].map(roomOf)), sorted(Object.keys(ROOMS)));
  const parts = [...FILES.keys()].map(partOf).filter((part) => part.includes("/"));
  assert.deepEqual(sorted(parts), sorted(Object.keys(PARTS).filter((part) => part.includes("/"))));
});

for (const room of Object.keys(ROOMS).filter((name) => name !== "main")) {
  test(`${room}/README.md is the room's face: short, with its parts and who may import it`, () => {
    const text = readFileSync(join(ROOT, "src", room, "README.md"), "utf8");
    const lines = text.trimEnd().split("\n").length;
    assert.ok(lines >= 10 && lines <= 30, `${lines} lines, 10 to 30 are wanted`);
    const parts = Object.keys(PARTS).filter((part) => part.startsWith(`${room}/`));
    for (const part of parts) assert.ok(text.includes(`\`${part.split("/")[1]}/\``), `${part} is missing`);
    const importers = Object.keys(ROOMS).filter((each) => ROOMS[each]?.some((into) => into.replace("=", "") === room));
    assert.equal(/^Imported by: (.*)\.$/m.exec(text)?.[1], importers.sort().join(", "));
  });
}

test("files do not import one another in circles, types included", () => {
  for (const { path, imports } of FILES.values())
    for (const { to } of imports) assert.ok(!reach(to, EVERY_KIND).has(path), `${path} → ${to} → … → ${path}`);
});

for (const entry of ["src/roles/handler/handler.ts", "src/roles/handler/host.ts", "src/main.ts"]) {
  test(`${entry} needs no package before it asks for one`, () => {
    assert.deepEqual([...reach(entry, ["value"])].filter(isPackage), []);
  });
}

test("main.ts has decided whose call it is before it loads anything else", () => {
  const parts = new Set([...reach("src/main.ts", ["value"])].filter(isOurs).map(partOf));
  assert.deepEqual([...parts].sort(), ["config", "domain", "main", "node/kernel"]);
});

test("every import of ours leads to a file, and every file is needed", () => {
  const needed = reach("src/main.ts", EVERY_KIND);
  assert.deepEqual([...needed].filter((path) => isOurs(path) && !FILES.has(path)).sort(), [], "not there");
  assert.deepEqual([...FILES.keys()].filter((path) => !needed.has(path)).sort(), [], "needed by nothing");
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

/**
 * What can remove or shorten a file, in the rooms that see cores: file → what of a dump it removes. `node/cache/decide.ts` is
 * the one gate for a core; nothing else here touches one that holds a certain byte.
 */
const REMOVERS: Readonly<Record<string, string>> = {
  "src/node/cache/decide.ts": "cores, for a decision that the record says; whole entries that are to be forgotten",
  "src/node/cache/seal.ts": "what lies in a core behind its certain bytes; the claim on the cache",
  "src/node/cache/abandoned.ts": "a record that was not finished",
  "src/node/cache/begin.ts": "an entry whose record could not be written",
  "src/node/cache/pressure.ts": "the claim on the cache",
  "src/node/capture/copying.ts": "facts of another process",
  "src/node/capture/facts.ts": "facts that there is no room for",
  "src/node/capture/explaining.ts": "a crash that cannot be written",
  "src/node/kernel/sparse-file.ts": "nothing: it gives the copy its length",
  "src/cluster/steps/socket.ts": "a killed agent's socket",
};
const CORES = /^src\/(?:node\/(?:cache|capture|identity|kernel)|cluster|roles\/(?:agent|handler))\//;
const REMOVING = /\b(?:rm|rmdir|unlink|f?truncate)(?:Sync)?\(/;

test("a core is removed in one place, and a state changes in one place", () => {
  const near = [...FILES.keys()].filter((path) => CORES.test(path)).map((path) => ({ path, text: textOf(path) }));
  const removers = near.filter(({ text }) => REMOVING.test(text)).map(({ path }) => path);
  assert.deepEqual(removers.sort(), Object.keys(REMOVERS).sort());
  const users = [...FILES.values()].filter(
    ({ path }) => /\badvance\(/.test(textOf(path)) && !path.startsWith("src/crash/"),
  );
  assert.deepEqual(users.map(({ path }) => path).sort(), ["src/node/cache/decide.ts"]);
});
