/** What is easily forgotten where something is added (CONTRIBUTING.md): each has a check here, if nothing else names it. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RECORD } from "../src/domain/dump.ts";
import { ROOT } from "./support/paths.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const textOf = (...patterns: string[]): string => globSync(patterns, { cwd: ROOT }).map(read).join("\n");
const namesIn = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name = ""]) => name);
const uses = (text: string, name: string): number => text.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0;

const ROLES = globSync("src/roles/*/", { cwd: ROOT }).map((path) => path.split("/")[2] ?? "");
/** What the kernel starts, not a person. */
const started = ROLES.filter((role) => role !== "handler");

test("every option is read by a part", () => {
  const options = namesIn(textOf("src/config/*.ts"), /^ {2}(\w+): \{(?=[^}]*\b(?:flag|describe):)/gm);
  const parts = textOf("src/!(config)/**/*.ts", "src/main.ts");
  assert.ok(options.length > 80, `${options.length} options`);
  assert.deepEqual(
    options.filter((name) => uses(parts, name) === 0),
    [],
  );
});

test("every field of a record is filled by something", () => {
  const fills = textOf("src/{node,cluster,roles}/!(registration)/*.ts");
  const fields = Object.keys(RECORD.fields);
  assert.deepEqual(
    fields.filter((name) => !new RegExp(`\\b${name}(?::|,| \\}| =)`).test(fills)),
    [],
  );
});

test("every figure is counted somewhere", () => {
  const sources = textOf("src/**/*.ts");
  const figures = namesIn(
    textOf("src/**/metrics.ts"),
    /^ {2}readonly (\w+) = (?:this\.(?:counter|gauge|histogram)|new Histogram)/gm,
  );
  assert.ok(figures.length > 15, `${figures.length} figures`);
  assert.deepEqual(
    figures.filter((name) => uses(sources, name) < 2),
    [],
  );
});

test("every store is put to the contracts of its ports", () => {
  const suites = textOf("test/{contract,support}/*.ts", "test/e2e/cluster/*.ts");
  const stores = globSync("src/store/*/backend.ts", { cwd: ROOT }).filter((path) => !path.includes("/ports/"));
  assert.ok(stores.length > 1);
  for (const store of stores.map((path) => path.split("/")[2]))
    for (const port of ["sink", "source", "bundle-store"])
      assert.ok(suites.includes(`src/store/${store}/${port}.ts`), `${store}: ${port}`);
});

test("every engine's client passes the contract of run-times", () => {
  const suite = read("test/contract/runtime.test.ts");
  for (const path of globSync("src/node/identity/*.ts", { cwd: ROOT }))
    if (/implements ContainerRuntime\b/.test(read(path))) assert.ok(suite.includes(path), path);
});

for (const role of started)
  test(`role ${role} can be started, installed and watched`, () => {
    assert.match(read("src/cli/commands/cli.ts"), new RegExp(`^ {2}${role}: role\\("${role}"\\)`, "m"));
    assert.match(read("docs/options.md"), new RegExp(`\`${role}\`|^## ${role}`, "im"));
    assert.match(read("docs/metrics.md"), new RegExp(`\\bcoredump_${role}_`));
    for (const path of [`install/chart/templates/${role}.yaml`, `install/rbac/${role}.yaml`])
      assert.ok(existsSync(join(ROOT, path)), path);
  });
