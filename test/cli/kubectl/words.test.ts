/** What people call a dump, and the words when they call it wrongly. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FAILURES_HERE } from "../../../src/cli/kubectl/cli.ts";
import { FAILURES } from "../../../src/domain/failures.ts";
import { ROOT } from "../../support/paths.ts";
import { Api, refuse } from "../client/api.ts";
import { COREDUMPS, coredump } from "./coredumps.ts";
import { inProcess } from "./run.ts";

const named: readonly { on: string; args: readonly string[]; code?: number; says: RegExp }[] = [
  { on: "info by the short id", args: ["info", "90b2c4e1d7aa"], says: /^etl-x7k2p-java-90b2c4e1d7aa / },
  {
    on: "info by the whole id",
    args: ["info", "019e0000-0000-7000-8000-3f9c2a71b0de"],
    says: /^web-0-nginx-3f9c2a71b0de /,
  },
  { on: "info by a part of the id", args: ["info", "c2f3b4"], says: /^web-1-sshd-77aa01c2f3b4 / },
  {
    on: "info by what all ids have",
    args: ["info", "019e0000"],
    code: 66,
    says: /error: Cannot tell which dump 019e0000 is: \d ids match\nhint: for example web-0-/,
  },
  {
    on: "info by the pod's name: the newest",
    args: ["info", "web-0"],
    says: /^The newest of \d dumps of pod web-0: .*\n(.*\n)*web-/,
  },
  { on: "info by the pod's name: its only one", args: ["info", "etl-x7k2p"], says: /^etl-x7k2p-java-90b2c4e1d7aa / },
  {
    on: "delete by a pod's name",
    args: ["delete", "etl-x7k2p"],
    code: 66,
    says: /Cannot tell which dump etl-x7k2p is: it is a pod\nhint: for example etl-x7k2p-java-90b2c4e1d7aa/,
  },
  {
    on: "delete of a subresource",
    args: ["delete", "web-0-nginx-3f9c2a71b0de/status", "--yes"],
    code: 2,
    says: /Cannot tell which: "web-0-nginx-3f9c2a71b0de\/status" is not a name/,
  },
  {
    on: "dump of a path",
    args: ["dump", "/etc/passwd"],
    code: 2,
    says: /Cannot tell which: "\/etc\/passwd" is not a name/,
  },
  { on: "dump of the folder above", args: ["dump", ".."], code: 2, says: /is not a name/ },
  {
    on: "info without a name",
    args: ["info"],
    code: 2,
    says: /error: Cannot run info: no name is given\nhint: kubectl coredump info <name>; kubectl coredump list shows/,
  },
  {
    on: "endpoint create without a name",
    args: ["endpoint", "create"],
    code: 2,
    says: /Cannot run endpoint create: no name is given/,
  },
  { on: "an unknown command", args: ["nonsense"], code: 2, says: /Cannot run "nonsense": there is no such command/ },
  {
    on: "a value that is not one of a flag's",
    args: ["list", "-o", "x"],
    code: 2,
    says: /Cannot use --output="x": it is one of "wide", /,
  },
  { on: "version", args: ["version"], says: /^\d+\.\d+\.\d+\S*\n$/ },
  {
    on: "list --pod",
    args: ["list", "-o", "name", "--pod", "etl-*"],
    says: /^coredump\S+\/etl-x7k2p-java-90b2c4e1d7aa\n$/,
  },
  { on: "list --since", args: ["list", "-o", "name", "--since", "1s"], says: /^No dumps found in namespace shop\n$/ },
  {
    on: "list --since a word",
    args: ["list", "--since", "yesterday"],
    code: 2,
    says: /Cannot use --since=yesterday: not a duration/,
  },
  {
    on: "dump in a state that this program does not know",
    args: ["dump", "later"],
    code: 66,
    says: /this program does not know the state "Frozen"\nhint: kubectl coredump version/,
  },
  { on: "info of such a one", args: ["info", "later"], says: /^later +Frozen, complete\n/ },
];
async function withDumps(): Promise<Api> {
  const api = await Api.start();
  api.coredumps.push(...COREDUMPS);
  return api;
}

test("names, ids, pods, words", async (t) => {
  await using api = await withDumps();
  api.coredumps.push(coredump("later", { spec: { id: "" }, status: { state: "Frozen" } }));
  for (const { on, args, code = 0, says } of named)
    await t.test(on, async () => {
      const where = ["--kubeconfig", api.kubeconfig, "-n", "shop"];
      const ended = await inProcess([...args, ...where]);
      assert.equal(ended.code, code, ended.output);
      assert.match(ended.output, says);
      assert.doesNotMatch(ended.output, /undefined/);
    });
});

test("kubectl coredump alone says what it can do, and with which exit codes: its own", async () => {
  const { code, output: words } = await inProcess([]);
  assert.equal(code, 0);
  assert.match(words, /^kubectl coredump <command>\n/);
  assert.match(words, /\n +72 +tool missing\n/);
  assert.doesNotMatch(words, /cache unusable|pattern refused/);
  assert.match((await inProcess(["endpoint"])).output, /^kubectl coredump endpoint <command>\n/);
});

test("endpoint create names the pod, and says in flags what to do when it is gone; list has it", async () => {
  await using api = await withDumps();
  api.endpoints.push({
    metadata: { name: "web-0", namespace: "shop", uid: "u", resourceVersion: "1" },
    spec: { poduid: "p" },
  });
  const { output } = await inProcess(["endpoint", "list", "--kubeconfig", api.kubeconfig]);
  assert.match(output, /\nweb-0 +web-0 +p /);
  api.onCreate = (body, response) => {
    assert.deepEqual((body as { spec: object }).spec, { podname: "gone" });
    refuse(
      response,
      404,
      "NotFound",
      'pods "gone" not found: give spec.podname, or spec.poduid for a pod that is gone',
      "gone",
    );
  };
  const ended = await inProcess(["endpoint", "create", "gone", "--kubeconfig", api.kubeconfig]);
  assert.equal(ended.code, 66);
  assert.match(
    ended.output,
    /^error: Cannot name the dumps of pod gone: it is not there in namespace shop\nhint: --pod names .*--pod-uid/,
  );
});

test("FAILURES_HERE are those that the plugin's own code names", () => {
  const folders = ["src/cli/client", "src/cli/kubectl", "src/kube", "src/cli/check"];
  const sources = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && name !== "cli.ts")
      .map((name) => readFileSync(join(ROOT, folder, name), "utf8")),
  );
  const quoted = new Set(sources.flatMap((source) => source.match(/(?<=")[A-Z][A-Z_]+(?=")/g) ?? []));
  const code =
    readFileSync(join(ROOT, "src/cli/commands/failure.ts"), "utf8") +
    readFileSync(join(ROOT, "src/domain/refusal.ts"), "utf8") +
    readFileSync(join(ROOT, "src/store/bundle/seek-table.ts"), "utf8");
  const output = ["print", "findings"].map((name) => readFileSync(join(ROOT, `src/cli/output/${name}.ts`), "utf8"));
  const shared = new Set(`${code}${output}`.match(/(?<=")[A-Z][A-Z_]+(?=")/g) ?? []);
  const isFailure = (word: string): boolean => Object.hasOwn(FAILURES, word);
  const missing = [...quoted].filter((word) => isFailure(word) && !FAILURES_HERE.some((each) => each === word));
  assert.deepEqual(missing, []);
  assert.deepEqual(
    FAILURES_HERE.filter((each) => !quoted.has(each) && !shared.has(each)),
    [],
  );
});
