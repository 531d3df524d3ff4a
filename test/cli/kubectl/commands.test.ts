/** list, info, delete, verify, endpoint, completion: their words, their exit codes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { answerTo } from "../../../src/cli/kubectl/complete.ts";
import type { State } from "../../../src/domain/states.ts";
import type { Coredump } from "../../../src/kube/coredump.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";
import { Api } from "../client/api.ts";
import { COREDUMPS, coredump } from "./coredumps.ts";
import { plugin } from "./run.ts";

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
  { words: [""], want: "check completion debug delete dump endpoint info list verify version :4" },
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
  { words: ["nonsense", ""], want: "check completion debug delete dump endpoint info list verify version :4" },
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
