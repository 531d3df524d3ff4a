/** What the pages say of the sources is true: files exist, links lead somewhere, rules and pages that code cites are there. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./support/paths.ts";

const PAGES = globSync(["docs/*.md", "*.md", "src/**/README.md"], { cwd: ROOT }).sort();
const SOURCES = globSync(["src/**/*.ts", "test/**/*.ts", "install/**/*.{ts,sh,yaml,tpl}", "bin/*"], { cwd: ROOT });
const MAX_ARCHITECTURE_LINES = 200;
const MAX_WORDS = 40;
/** The changelog tells of files that were; hardening.md names tests without their ending (test/hardening.test.ts). */
const OTHERWISE = ["CHANGELOG.md", "docs/hardening.md"];
/** Folders that are made, not kept. */
const MADE = ["dist/", "node_modules/"];

const textOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const there = (...parts: string[]): boolean => existsSync(join(ROOT, ...parts));

/** `{a,b}/c` of a shell, spelt out. */
const spelt = (path: string): string[] => {
  const {
    before = "",
    names,
    after = "",
  } = /^(?<before>[^{]*)\{(?<names>[^}]*)\}(?<after>.*)$/.exec(path)?.groups ?? {};
  return names === undefined ? [path] : names.split(",").flatMap((name) => spelt(`${before}${name.trim()}${after}`));
};

/** Paths of ours in backticks: TypeScript files, and folders or files below a folder of the root or a room. */
function pathsIn(text: string): string[] {
  const ours = new RegExp(
    `^(${[...globSync("*/", { cwd: ROOT }), ...globSync("*/", { cwd: join(ROOT, "src") })].join("|")})/`,
  );
  const words = text.matchAll(/`([\w.{},/-]+)`/g).map(([, word = ""]) => word);
  return [...words]
    .filter((word) => /\.ts$/.test(word) || ours.test(word))
    .flatMap(spelt)
    .filter((path) => !MADE.some((made) => path.startsWith(made)));
}

/** GitHub's anchors of a page. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );

for (const page of PAGES.filter((each) => !OTHERWISE.includes(each))) {
  test(`${page} names files that exist`, () => {
    const places = ["", "src", "test", dirname(page)];
    const gone = pathsIn(textOf(page)).filter((path) => !places.some((place) => there(place, path)));
    assert.deepEqual(gone, []);
  });

  test(`${page} has links that lead somewhere`, () => {
    for (const [, target = ""] of textOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      assert.ok(there(file), target);
      if (anchor !== undefined) assert.ok(anchorsOf(textOf(file)).includes(anchor), target);
    }
  });
}

test("every rule that sources cite is in docs/architecture.md", () => {
  const rules = [...textOf("docs/architecture.md").matchAll(/^(\d+)\. \*\*/gm)].map(([, number]) => Number(number));
  assert.deepEqual(
    rules,
    [...rules.keys()].map((index) => index + 1),
    "numbered from 1 on",
  );
  for (const path of [...SOURCES, ...PAGES])
    for (const [said, numbers = ""] of textOf(path).matchAll(/\b[Rr]ules? (\d+(?:(?:, | and | to )\d+)*)/g))
      for (const number of numbers.match(/\d+/g) ?? []) assert.ok(rules.includes(Number(number)), `${path}: ${said}`);
});

test("docs/architecture.md stays short", () => {
  assert.ok(textOf("docs/architecture.md").trimEnd().split("\n").length <= MAX_ARCHITECTURE_LINES);
});

test("docs/glossary.md has few words, each once", () => {
  const words = [...textOf("docs/glossary.md").matchAll(/^\| (?!word)([^|]+) \|/gm)].map(([, word]) => word);
  assert.ok(words.length > 0 && words.length <= MAX_WORDS, `${words.length} rows`);
  assert.deepEqual([...new Set(words)], words);
});

test("every file of src/ begins with what it is for", () => {
  const without = globSync("src/**/*.ts", { cwd: ROOT }).filter((path) => !/^(#!|\/\*\*|\/\/)/.test(textOf(path)));
  assert.deepEqual(without.sort(), []);
});

/** Words of our own for standard things, which no name in src/ has any more. */
const PRIVATE = /\b\w*(?:Desk|Seat|Teller|Diary|Office|Shelf|Lying|Errand|Farewell|Heed|Birth|Lessons)\w*\b/i;
/** Code alone: comments and texts are for people. */
const codeOf = (text: string): string => text.replace(/\/\*.*?\*\/|\/\/.*|"[^"\n]*"/gs, "");

test("no name in src/ is a private word", () => {
  const found = globSync("src/**/*.ts", { cwd: ROOT }).flatMap((path) => [
    ...(PRIVATE.test(path) ? [path] : []),
    ...(codeOf(textOf(path)).match(PRIVATE) ?? []).map((word) => `${path}: ${word}`),
  ]);
  assert.deepEqual(found, []);
});
