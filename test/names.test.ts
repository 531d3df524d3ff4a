/** Names in src/: each export is needed, each code and reason is raised, each file named in a text is there. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { FAILURES } from "../src/domain/failures.ts";
import { REASONS } from "../src/domain/states.ts";
import { ROOT } from "./support/paths.ts";

const textsOf = (...patterns: string[]): ReadonlyMap<string, string> =>
  new Map(globSync(patterns, { cwd: ROOT }).map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));

const SRC = textsOf("src/**/*.ts");
const OTHERS = textsOf("test/**/*.ts", "install/**/*.ts");

const TYPE = /^(?:export )?(?:abstract )?(?:interface|type|class) (\w+)/gm;
const EXPORT = /^export (?:abstract )?(?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm;
const IMPORT = /^(?:import|export)\s(?:type\s)?\{([^}]*)\}\s+from\s+"([^"]+)"/gm;
/** `import("./x.ts")`, in code and in types, and `import * as x`: whatever its file mentions may be taken from it. */
const WHOLE = /\bimport(?:\(| \* as \w+ from )"(\.[^"]+)"/g;

const namesIn = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name = ""]) => name);
const countOf = (name: string, text: string): number => text.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0;

/** What a file takes from which other: `file name`. */
function* takenBy(path: string, text: string): Generator<string> {
  const to = (from: string) => normalize(join(dirname(path), from));
  for (const [, names = "", from = ""] of text.matchAll(IMPORT))
    for (const name of names.split(",")) yield `${to(from)} ${name.replace("type ", "").trim().split(" as ")[0]}`;
  for (const from of namesIn(text, WHOLE))
    for (const name of namesIn(SRC.get(to(from)) ?? "", EXPORT))
      if (countOf(name, text) > 0) yield `${to(from)} ${name}`;
}

/** Exports that nothing takes; what tests alone take must be at work in its own file. */
function unneeded(): string[] {
  const taken = (texts: ReadonlyMap<string, string>) => new Set([...texts].flatMap((each) => [...takenBy(...each)]));
  const [bySource, byOthers] = [taken(SRC), taken(OTHERS)];
  return [...SRC].flatMap(([path, text]) =>
    namesIn(text, EXPORT)
      .map((name) => `${path} ${name}`)
      .filter((each) => !bySource.has(each))
      .filter((each) => !byOthers.has(each) || countOf(each.split(" ")[1] ?? "", text) < 2),
  );
}

test("every export has an importer", () => assert.deepEqual(unneeded(), []));

const ELSEWHERE = [...SRC].flatMap(([path, text]) => (path.startsWith("src/domain/") ? [] : [text])).join("\n");

test("every failure code and every reason is raised", () => {
  const unraised = [FAILURES, REASONS].flatMap(Object.keys).filter((word) => !ELSEWHERE.includes(`"${word}"`));
  assert.deepEqual(unraised, []);
});

const FILE = /(?<![\w./@-])((?:src|docs|test|install)\/[\w./-]+\.(?:ts|md|sh|yaml|json|svg))\b/g;
const COMMENT = /^\s*(?:\*|\/\*\*|\/\/).*|\s\/\/ .*/gm;

test("every file of ours that a comment or a page names is there", () => {
  const comments = [...SRC, ...OTHERS].map(([path, text]) => [path, (text.match(COMMENT) ?? []).join("\n")] as const);
  const pages = textsOf("*.md", "docs/**/*.md", "install/**/*.md", "src/**/*.md");
  const missing = [...comments, ...pages]
    .filter(([path]) => path !== "CHANGELOG.md") // of former versions
    .flatMap(([path, text]) => namesIn(text, FILE).map((file) => ({ path, file })))
    .filter(({ file }) => !existsSync(join(ROOT, file)))
    .map(({ path, file }) => `${path}: ${file}`);
  assert.deepEqual(missing, []);
});

const declarations = [...SRC].flatMap(([path, text]) => namesIn(text, TYPE).map((name) => ({ name, path })));

test("every type's name means one thing", () => {
  const byName = Map.groupBy(declarations, ({ name }) => name);
  const twice = [...byName].filter(([, all]) => all.length > 1);
  assert.deepEqual(
    twice.map(([name, all]) => `${name}: ${all.map(({ path }) => path).join(", ")}`),
    [],
  );
});
