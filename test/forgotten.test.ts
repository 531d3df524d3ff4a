/** What is easily forgotten where something is added (CONTRIBUTING.md): each has a check here, if nothing else names it. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { APISERVER_FLAGS } from "../src/config/apiserver-options.ts";
import { RECORD } from "../src/domain/dump.ts";
import { type Location, locationOf } from "../src/store/ports/location.ts";
import { ROOT } from "./support/paths.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const textOf = (...patterns: string[]): string => globSync(patterns, { cwd: ROOT }).map(read).join("\n");
const namesIn = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name = ""]) => name);
const uses = (text: string, name: string): number => text.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0;

interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}
const SCHEMA: Required<Schema> = JSON.parse(read("install/chart/values.schema.json"));
const FORMS: {
  readonly kinds: Readonly<Record<string, { readonly pattern: string }>>;
  readonly values: Readonly<Record<string, string>>;
} = JSON.parse(read("install/chart/files/values.json"));

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
    figures.filter((name) => !new RegExp(`(?:[mM]etrics|this)\\.${name}\\b`).test(sources)),
    [],
  );
});

test("every store is put to the contracts of its ports", () => {
  const suites = textOf("test/contract/*.ts", "test/e2e/cluster/*.ts");
  const stores = globSync("src/store/*/backend.ts", { cwd: ROOT }).filter((path) => !path.includes("/ports/"));
  assert.ok(stores.length > 1);
  const contracts = { sink: "sinkContract", source: "sourceContract", "bundle-store": "bundleStoreContract" };
  for (const store of stores.map((path) => path.split("/")[2]))
    for (const [port, contract] of Object.entries(contracts)) {
      const [name] = namesIn(read(`src/store/${store}/${port}.ts`), /^export class (\w+)/gm);
      assert.match(suites, new RegExp(`\\b${contract}\\("${name}\\b`), `${store}: ${port}`);
    }
});

/** One of each kind, as `--store` names it. */
const STORES: Readonly<Record<Location["kind"], string>> = { directory: "/store", s3: "s3://cores/prod" };

for (const [kind, url] of Object.entries(STORES))
  test(`the chart takes a store of the kind ${kind}`, () => {
    assert.equal(locationOf(url).kind, kind);
    const prefix = /^[a-z0-9]+:\/*/.exec(url)?.[0];
    if (prefix) assert.ok(read("install/chart/templates/checks.yaml").includes(`"${prefix}"`), prefix);
    for (const form of ["store", "storeInPath"]) assert.match(url, new RegExp(FORMS.kinds[form]?.pattern ?? "^$"));
  });

test("the chart's readers of the store get its options that the API server has", () => {
  const [picked = ""] = namesIn(read("install/chart/templates/_helpers.tpl"), /pick \$store\.options ([^)]*)\)/g);
  const ofChart = namesIn(picked, /"([^"]+)"/g);
  const flags = new Set(Object.values(APISERVER_FLAGS).map(({ flag }) => flag as string));
  const given = Object.keys(SCHEMA.properties["store"]?.properties?.["options"]?.properties ?? {});
  assert.deepEqual(ofChart.sort(), given.filter((flag) => flags.has(flag)).sort());
});

test("every engine's client passes the contract of run-times", () => {
  const suite = read("test/contract/runtime.test.ts");
  for (const path of globSync("src/node/identity/*.ts", { cwd: ROOT }))
    if (/implements ContainerRuntime\b/.test(read(path))) assert.ok(suite.includes(path), path);
});

test("the chart's values, their schema and their forms know the same keys", () => {
  const values = Object.keys(parse(read("install/chart/values.yaml")));
  assert.deepEqual(["global", ...values].sort(), Object.keys(SCHEMA.properties).sort());
  const flags = Object.entries(SCHEMA.properties).flatMap(([part, { properties }]) =>
    Object.entries(properties?.["options"]?.properties ?? {}).map(([flag, { type }]) => ({
      type,
      key: `${part}.options.${flag}`,
    })),
  );
  const formless = flags.filter(({ key, type }) => Array.isArray(type) && !(key in FORMS.values));
  assert.ok(flags.length > 50, `${flags.length} flags`);
  assert.deepEqual(formless, []);
});

for (const role of started)
  test(`role ${role} can be started, installed and watched`, () => {
    assert.match(read("src/cli/commands/cli.ts"), new RegExp(`^ {2}${role}: role\\("${role}"\\)`, "m"));
    assert.match(read("docs/options.md"), new RegExp(`\`${role}\`|^## ${role}`, "im"));
    assert.match(read("docs/metrics.md"), new RegExp(`\\bcoredump_${role}_`));
    assert.match(read("docs/architecture.md"), new RegExp(`one process each: .*\\b${role}\\b`));
    for (const path of [`install/chart/templates/${role}.yaml`, `install/rbac/${role}.yaml`])
      assert.ok(existsSync(join(ROOT, path)), path);
    const [, account = ""] =
      /^kind: ServiceAccount\nmetadata:\n {2}name: (\S+)/m.exec(read(`install/rbac/${role}.yaml`)) ?? [];
    assert.match(read("install/chart/templates/network-policy.yaml"), new RegExp(`"${account}" [$(]`), account);
  });
