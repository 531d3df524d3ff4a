/** Every command and flag of ours that a message names is one that there is. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import yargs, { type CommandModule } from "yargs";
import { VERBS } from "../../../src/cli/commands/cli.ts";
import { ACCESS_FLAGS } from "../../../src/cli/kubectl/access.ts";
import { COMMANDS, namesOf } from "../../../src/cli/kubectl/cli.ts";
import { COMMANDS as ENDPOINT_COMMANDS } from "../../../src/cli/kubectl/endpoint.ts";
import * as cluster from "../../../src/config/cluster-options.ts";
import * as node from "../../../src/config/options.ts";
import { ROOT } from "../../support/paths.ts";

/** Options of programs that we call or tell people to call: engines, kubectl, helm, the kernel's and the run-time's. */
const OF_OTHERS = new Set(
  "privileged quiet network force rm read-only overwrite from-file from-literal disable-warning root-dir system prefix libc max-request-bytes semi-space-growth-factor heap-growing-percent root-dir system prefix libc max-request-bytes semi-space-growth-factor heap-growing-percent".split(
    " ",
  ),
);

const words = (text: string): string[] =>
  [...text.matchAll(/(?<![\w-])--([a-z][a-zA-Z0-9_-]*)/g)].map(([, flag = ""]) => flag);

/** String literals of a source file, without its comments. */
function literalsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, "");
  return code.match(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g) ?? [];
}

const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".ts"),
);
const messages = sources.flatMap((name) =>
  literalsOf(readFileSync(join(ROOT, "src", name), "utf8")).map((text) => ({ name, text })),
);

function flagsOf(command: CommandModule): string[] {
  const probe = yargs([]).options(ACCESS_FLAGS);
  const { builder } = command;
  if (typeof builder === "function") builder(probe);
  else if (builder) probe.options(builder);
  return Object.keys((probe as unknown as { getOptions(): { key: object } }).getOptions().key);
}

test("every flag that a message names is declared", async () => {
  const commands = [
    ...COMMANDS,
    ...ENDPOINT_COMMANDS,
    ...(await Promise.all(Object.values(VERBS).map((load) => load()))),
  ];
  const declared = [...Object.values(node), ...Object.values(cluster)].flatMap((group) =>
    typeof group === "object" ? Object.values(group).map((option) => (option as { flag?: string }).flag) : [],
  );
  const known = new Set([...declared, ...commands.flatMap(flagsOf), "help", "version", ...OF_OTHERS]);
  const unknown = messages.flatMap(({ name, text }) =>
    words(text)
      .filter((flag) => !known.has(flag))
      .map((flag) => `${name}: --${flag}`),
  );
  assert.deepEqual(unknown, []);
  assert.ok(messages.flatMap(({ text }) => words(text)).length > 50, "they were found");
});

test("every command that a message names is one that there is", () => {
  const named = (program: RegExp) =>
    messages.flatMap(({ name, text }) => [...text.matchAll(program)].map(([, verb = ""]) => ({ name, verb })));
  const ours = named(/\bkubectl coredump ([a-z][a-z-]*)/g);
  const plugin = new Set(COMMANDS.flatMap(namesOf));
  assert.deepEqual(
    ours.filter(({ verb }) => !plugin.has(verb)),
    [],
  );
  const theirs = named(/\bcoredump-detector ([a-z][a-z-]*)(?=[ "`]|$)/g);
  assert.deepEqual(
    theirs.filter(({ verb }) => !Object.hasOwn(VERBS, verb)),
    [],
  );
  assert.ok(ours.length > 5 && theirs.length > 3, "they were found");
});
