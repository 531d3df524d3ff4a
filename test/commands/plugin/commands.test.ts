/** list, info, delete, verify, endpoint, completion: their words, their exit codes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { FAILURES_HERE } from "../../../src/commands/plugin/cli.ts";
import { answerTo } from "../../../src/commands/plugin/complete.ts";
import type { State } from "../../../src/domain/dump.ts";
import { FAILURES } from "../../../src/domain/failures.ts";
import type { Coredump } from "../../../src/plugin/objects.ts";
import { Api, refuse } from "../../plugin/api.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";
import { COREDUMPS, coredump } from "./coredumps.ts";
import { inProcess, plugin } from "./run.ts";

const CORE = readFileSync(join(ROOT, "fixtures/elf/segv.core"));

async function withCoredumps(): Promise<Api> {
  const api = await Api.start();
  api.coredumps.push(...COREDUMPS, {
    ...coredump("other"),
    metadata: { ...coredump("other").metadata, namespace: "lab" },
  });
  return api;
}

test("list prints a table, JSON, YAML, names; of one namespace, or all", async () => {
  await using api = await withCoredumps();
  const list = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await plugin(["list", "--kubeconfig", api.kubeconfig, ...args]);
    assert.equal(code, 0, stderr);
    return stdout.toString();
  };
  assert.equal((await list()).trim().split("\n").length, 1 + COREDUMPS.length);
  assert.match(await list("-A"), /^NAMESPACE +NAME .*\n(shop .*\n)*lab +other /);
  assert.deepEqual(JSON.parse(await list("-o", "json")).items, JSON.parse(JSON.stringify([...COREDUMPS].sort(byAge))));
  assert.equal(parse(await list("-o", "yaml", "-n", "lab")).items[0].metadata.name, "other");
  assert.equal(await list("-o", "name", "-n", "lab"), "coredump.coredump.fujitsu.com/other\n");
});

const byAge = (a: (typeof COREDUMPS)[0], b: (typeof COREDUMPS)[0]): number =>
  Date.parse(b.spec.dumptime ?? "") - Date.parse(a.spec.dumptime ?? "");

test("list of an empty namespace says so, and prints nothing", async () => {
  await using api = await withCoredumps();
  const { code, stdout, stderr } = await plugin(["list", "-n", "empty", "--kubeconfig", api.kubeconfig]);
  assert.deepEqual([code, stdout.toString(), stderr], [0, "", "No dumps found in namespace empty\n"]);
});

test("list -w goes on with what changes, each version once, until Ctrl-C", async () => {
  await using api = await withCoredumps();
  const [first] = COREDUMPS as [Coredump];
  const version = (resourceVersion: string, state: State): Coredump => ({
    ...first,
    metadata: { ...first.metadata, resourceVersion },
    status: { ...first.status, state },
  });
  let shown = "";
  const { code, stdout } = await plugin(["list", "-w", "--kubeconfig", api.kubeconfig], {
    meddle: (child) => {
      child.stdout.on("data", (chunk) => {
        shown += chunk;
        const lines = shown.split("\n").length - 1;
        if (lines === 1 + COREDUMPS.length)
          setTimeout(() => {
            api.event("MODIFIED", first); // as it was listed
            api.event("MODIFIED", version("8", "FailedToSave"));
            api.event("DELETED", version("9", "FailedToSave"));
          }, 200);
        if (lines === 3 + COREDUMPS.length) child.kill("SIGINT");
      });
    },
  });
  assert.equal(code, 0);
  const lines = stdout.toString().trimEnd().split("\n");
  assert.match(lines[0] ?? "", /^NAME +STATE /);
  assert.match(lines.at(-2) ?? "", /^web-0-nginx-3f9c2a71b0de +FailedToSave /);
  assert.match(lines.at(-1) ?? "", /^web-0-nginx-3f9c2a71b0de +Deleted /);
  const at = (lines[0] ?? "").indexOf("STATE");
  assert.ok(
    lines.slice(1).every((line) => /^ \S/.test(line.slice(at - 1))),
    "one under the other",
  );
});

test("info takes a name as -o name prints it", async () => {
  await using api = await withCoredumps();
  const name = "coredump.coredump.fujitsu.com/web-0-nginx-3f9c2a71b0de";
  const { code, stdout } = await plugin(["info", name, "-n", "shop", "--kubeconfig", api.kubeconfig]);
  assert.equal(code, 0);
  assert.match(stdout.toString(), /^web-0-nginx-3f9c2a71b0de +Saved, complete, verified\n {2}What /);
});

test("info of what is not there ends with 66 and says where to look", async () => {
  await using api = await withCoredumps();
  const { code, stderr } = await plugin(["info", "none", "--kubeconfig", api.kubeconfig]);
  assert.equal(code, 66);
  assert.equal(
    stderr,
    "error: Cannot find none in namespace shop\nhint: kubectl coredump list -n shop, or -A for all namespaces\n",
  );
});

test("delete deletes what is named, all or nothing when a name is wrong, and asks before it deletes all", async () => {
  await using api = await withCoredumps();
  const remove = (...args: string[]) => plugin(["delete", ...args, "--kubeconfig", api.kubeconfig]);
  const [first, second] = COREDUMPS.map(({ metadata }) => metadata.name) as [string, string];
  assert.equal((await remove(first, "none")).code, 66);
  assert.equal(api.coredumps.length, COREDUMPS.length + 1);
  assert.equal((await remove(first, second)).stderr, `${first} deleted\n${second} deleted\n`);
  assert.match((await remove("--all")).stderr, /Cannot ask whether to delete 3 dumps in namespace shop/);
  assert.equal((await remove("--all", "--yes")).code, 0);
  assert.deepEqual(
    api.coredumps.map(({ metadata }) => metadata.namespace),
    ["lab"],
  );
  assert.equal((await remove()).code, 2);
  assert.equal((await remove("x", "-l", "a=b")).code, 2);
});

const verdicts = [
  { on: "a whole core", core: CORE, status: {}, code: 0, says: / yes +right\n$/ },
  { on: "one that is cut short", core: CORE.subarray(0, 9000), status: {}, code: 65, says: / no +right\n$/ },
  {
    on: "another core",
    core: CORE,
    status: { checksum: `sha256:${"1".repeat(64)}` },
    code: 65,
    says: / yes +wrong\n$/,
  },
  { on: "no core at all", core: Buffer.from("text"), status: {}, code: 65, says: / unknown +no +right\n$/ },
] as const;
for (const { on, core, status, code, says } of verdicts) {
  test(`verify of ${on} ends with ${code}`, async () => {
    await using api = await Api.start();
    api.saved("x", core, { status });
    const ended = await plugin(["verify", "x", "--kubeconfig", api.kubeconfig]);
    assert.match(ended.stdout.toString(), says);
    assert.equal(ended.code, code, ended.stderr);
  });
}

test("no kubeconfig at all: what to do is said", async () => {
  const env = { HOME: "/nonexistent", KUBECONFIG: "/nonexistent/config" };
  const { code, stderr } = await plugin(["list", "--request-timeout", "2s"], { env });
  assert.equal(code, 78);
  assert.match(
    stderr,
    /^error: Cannot tell which cluster is meant: there is no kubeconfig at \/nonexistent\/config\nhint: .*--kubeconfig/,
  );
});

const completions: readonly { words: readonly string[]; want: string }[] = [
  { words: [""], want: "completion debug delete dump endpoint info list verify version :4" },
  { words: ["en"], want: "endpoint :4" },
  { words: ["list", "--sort-by", ""], want: "age name pod size state :4" },
  { words: ["list", "-o", ""], want: "json name wide yaml :4" },
  { words: ["endpoint", ""], want: "create delete list :4" },
  { words: ["endpoint", "rm", ""], want: "web-0 :4" },
  { words: ["completion", "f"], want: "fish :4" },
  { words: ["dump", "--fo"], want: "--force :4" },
  { words: ["info", "web-0"], want: "web-0-nginx-3f9c2a71b0de :4" },
  {
    words: ["delete", "web-0-nginx-3f9c2a71b0de", "web-"],
    want: "web-1-sshd-77aa01c2f3b4 web-2-cut-b3b3b3b3b3b3 web-3-new-c4c4c4c4c4c4 :4",
  },
  { words: ["dump", "x", ""], want: ":0" },
  { words: ["dump", "-n", "lab", ""], want: "other :4" },
  { words: ["--context", ""], want: "here :4" },
  { words: ["debug", "x", "--core", ""], want: ":0" },
  { words: ["debug", "x", "--sysroot", ""], want: ":0" },
  { words: ["--kubeconfig", ""], want: ":0" },
  { words: ["debug", "x", "--gdb-image", ""], want: ":4" },
  { words: ["debug", "x", ""], want: ":4" }, // no file of ours is meant
  { words: ["list", "-l", ""], want: ":4" }, // no dump is a selector
  { words: ["dump", "--endpoint", "web-0", ""], want: ":0" },
  { words: ["dump", "--bundle", "web-0"], want: "web-0-nginx-3f9c2a71b0de :4" },
  { words: ["list", "-w", "--p"], want: "--pod :4" },
  { words: ["info", "--he"], want: "--help :4" },
  { words: ["debug", "--all-threads", "web-0"], want: "web-0-nginx-3f9c2a71b0de :4" },
  { words: ["nonsense", ""], want: "completion debug delete dump endpoint info list verify version :4" },
];
test("kubectl_complete-coredump offers what may stand where the cursor is", async () => {
  await using api = await withCoredumps();
  api.endpoints.push({ metadata: { name: "web-0", namespace: "shop", uid: "u", resourceVersion: "1" } });
  const where = ["--kubeconfig", api.kubeconfig];
  for (const { words, want } of completions)
    assert.equal((await answerTo([...where, ...words])).trim().split("\n").join(" "), want, words.join(" "));
  assert.equal(await answerTo(["--kubeconfig", "/nonexistent", "info", ""]), ":4\n");
  const { stdout } = await plugin([...where, "dump", "web-0"], { called: "kubectl_complete-coredump" });
  assert.equal(stdout.toString(), "web-0-nginx-3f9c2a71b0de\n:4\n");
});

for (const shell of ["bash", "zsh", "fish"]) {
  test(`completion ${shell} prints a script that ${shell} reads`, { skip: needs(`command:${shell}`) }, async () => {
    const { stdout, code } = await plugin(["completion", shell]);
    assert.equal(code, 0);
    using folder = tempDir();
    const script = join(folder.path, "script");
    writeFileSync(script, stdout);
    execFileSync(shell, ["-n", script]);
  });
}

test("--help is said without an API server", async () => {
  for (const words of [[], ["endpoint"]]) {
    const { code, stdout } = await plugin([...words, "--help"]);
    assert.equal(code, 0);
    assert.ok(stdout.toString().startsWith(["kubectl coredump", ...words].join(" ")));
  }
});

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
test("names, ids, pods, words", async (t) => {
  await using api = await withCoredumps();
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
  assert.doesNotMatch(words, /cache full|pattern refused/);
  assert.match((await inProcess(["endpoint"])).output, /^kubectl coredump endpoint <command>\n/);
});

test("endpoint create names the pod, and says in flags what to do when it is gone; list has it", async () => {
  await using api = await withCoredumps();
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
  const folders = ["src/plugin", "src/commands/plugin", "src/kube"];
  const sources = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && name !== "cli.ts")
      .map((name) => readFileSync(join(ROOT, folder, name), "utf8")),
  );
  const quoted = new Set(sources.flatMap((source) => source.match(/(?<=")[A-Z][A-Z_]+(?=")/g) ?? []));
  const code =
    readFileSync(join(ROOT, "src/commands/failure.ts"), "utf8") +
    readFileSync(join(ROOT, "src/bundle/seek-table.ts"), "utf8");
  const print = readFileSync(join(ROOT, "src/commands/output/print.ts"), "utf8");
  const shared = new Set(`${code}${print}`.match(/(?<=")[A-Z][A-Z_]+(?=")/g) ?? []);
  const isFailure = (word: string): boolean => Object.hasOwn(FAILURES, word);
  const missing = [...quoted].filter((word) => isFailure(word) && !FAILURES_HERE.some((each) => each === word));
  assert.deepEqual(missing, []);
  assert.deepEqual(
    FAILURES_HERE.filter((each) => !quoted.has(each) && !shared.has(each)),
    [],
  );
});
