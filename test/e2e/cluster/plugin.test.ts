/** `kubectl coredump` as its users call it: real kubectl, the released executable on the PATH, crashes of a real cluster. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { Agent } from "../../support/agents.ts";
import { ApiServer, applyRights, STORAGES } from "../../support/apiserver.ts";
import { KERNEL_ARGUMENTS } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { makeImage } from "../../support/images.ts";
import { KUBECTL, type Resource, type User } from "../../support/kubectl.ts";
import { BINARY, program } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tee } from "../../support/tee.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "binary", "command:gdb");
const GDB_IMAGE = "localhost/gdb:1";
const BACKTRACE = /^#0 +crash_here \(\) at .*crash\.c:\d+$/m;

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

describe("kubectl coredump", { skip }, () => {
  let cluster: Cluster;
  let folder: TempDir;
  let store: string;
  let server: ApiServer;
  let agent: Agent;
  let alice: User;
  let mine: string;
  let theirs: string;
  let crash: { readonly coredump: Resource; readonly core: Buffer };

  before(async () => {
    [cluster, folder] = [await startCluster({ node: true }), tempDir()];
    store = join(folder.path, "store");
    const [bin, dumpDir] = [join(folder.path, "bin"), join(folder.path, "cache")];
    for (const each of [store, bin]) mkdirSync(each);
    for (const name of ["kubectl-coredump", "kubectl_complete-coredump"]) symlinkSync(BINARY, join(bin, name));
    symlinkSync(KUBECTL, join(bin, "kubectl"));
    images();
    await applyRights(cluster);
    const endpoint = `--cri-endpoint=${join(cluster.nodeFolder(), "run/containerd.sock")}`;
    const flags = [`-c=${cluster.kubeconfig}`, `-d=${dumpDir}`, "--node-name=node-1", endpoint];
    agent = await Agent.start(...flags, "--admission=all", `--store=${store}`);
    [mine, theirs] = [await cluster.namespace(), await cluster.namespace()];
    alice = await tenant("alice", mine);
    await tenant("bob", theirs);
    crash = await crashed([BINARY, `-d=${dumpDir}`, endpoint]);
    // What crashed need not be so; what debugs it must be.
    await cluster.kubectl("label", "namespace", mine, "pod-security.kubernetes.io/enforce=restricted");
  });
  after(async () => {
    await agent?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    folder?.[Symbol.dispose]();
  });

  /** One without a shell, that crashes; one with gdb, which has nothing of it. */
  function images(): void {
    const load = (tar: string): unknown =>
      execFileSync(join(cluster.nodeFolder(), "bin/ctr"), ["images", "import", tar], { stdio: "pipe" });
    makeImage("distroless", (root) => root.program(program("crash-dynamic"), "/app/server"), load);
    makeImage(
      "gdb",
      (root) => {
        root.program("/usr/bin/gdb", "/usr/bin/gdb");
        for (const tree of ["/usr/share/gdb", "/usr/lib/python3.11"]) root.tree(tree);
        root.busybox("sh", "cat", "wc", "head", "od", "sleep");
      },
      load,
    );
  }

  async function tenant(name: string, namespace: string): Promise<User> {
    const admin = cluster.in(namespace);
    await admin.kubectl("create", "rolebinding", name, "--clusterrole=coredump-tenant", `--user=${name}`);
    await admin.kubectl("create", "rolebinding", `${name}-edits`, "--clusterrole=edit", `--user=${name}`);
    return await cluster.user(name);
  }

  /** A pod's process crashes; its dump is stored. The core is the kernel's own. */
  async function crashed(handler: readonly string[]): Promise<{ coredump: Resource; core: Buffer }> {
    const admin = cluster.in(mine);
    const containers = [{ name: "app", image: "localhost/distroless:1", command: ["/app/server", "4"] }];
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web-0" },
      spec: { restartPolicy: "Never", containers },
    };
    using behind = tee(handler);
    const core = await withPattern(behind.pattern(KERNEL_ARGUMENTS), async () => {
      await admin.send("create", pod);
      await cluster.ended(mine, "web-0");
      const [one] = await behind.crashes(1);
      return readFileSync(one?.core ?? "");
    });
    const coredump = await eventually(async () => {
      const [found]: Resource[] = (await admin.get("coredumps"))["items"];
      assert.equal(found?.["status"]?.state, "Saved", agent.said);
      return found as Resource;
    });
    return { coredump, core };
  }

  const name = (): string => crash.coredump.metadata["name"];

  const environment = (): NodeJS.ProcessEnv => ({
    ...process.env,
    PATH: `${join(folder.path, "bin")}:${process.env["PATH"]}`,
    KUBECONFIG: alice.kubeconfig,
    TMPDIR: folder.path,
    KUBECTL_COREDUMP_GDB_IMAGE: GDB_IMAGE,
  });

  /** `kubectl coredump …` as alice, in her namespace. */
  async function coredump(args: readonly string[], meddle?: (child: ReturnType<typeof spawn>) => void): Promise<Ended> {
    const where = args.includes("-n") ? [] : ["-n", mine];
    const child = spawn("kubectl", ["coredump", ...args, ...where], {
      env: environment(),
      cwd: folder.path,
      stdio: ["ignore", "pipe", "pipe"],
    });
    meddle?.(child);
    const ended = once(child, "close");
    const [stdout, stderr, [code]] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]);
    return { code, stdout, stderr: stderr.toString() };
  }

  for (const storage of STORAGES)
    describe(`over ${storage}`, () => {
      before(async () => {
        await server?.[Symbol.asyncDispose]();
        server = await ApiServer.start(cluster, { store: ["--store", store], storage });
      });

      test("list and info show what the API knows; nobody else's", async () => {
        const listed = await coredump(["list"]);
        assert.equal(listed.code, 0, listed.stderr);
        assert.match(listed.stdout.toString(), new RegExp(`^NAME .*\\n${name()} +Saved +web-0 +app +server +SIGSEGV `));
        const info = await coredump(["info", name()]);
        assert.match(
          info.stdout.toString(),
          new RegExp(`^${name()} +Saved, complete, verified\\n +What +server was killed by SIGSEGV`),
        );
        assert.match(info.stdout.toString(), new RegExp(`Next +kubectl coredump debug ${name()} -n ${mine} `));
        for (const args of [
          ["list", "-A"],
          ["list", "-n", theirs],
          ["info", name(), "-n", theirs],
          ["dump", name(), "-n", theirs],
        ]) {
          const { code, stderr } = await coredump(args);
          assert.equal(code, 77, stderr);
          assert.match(stderr, /^error: .*forbidden.*\nhint: Ask for a role that grants "(list|get)" on "coredumps"/);
        }
      });

      test("dump gives the kernel's own core, byte for byte; verify vouches for it", async () => {
        const { code, stderr } = await coredump(["dump", name(), `${storage}.core`]);
        assert.equal(code, 0, stderr);
        assert.ok(readFileSync(join(folder.path, `${storage}.core`)).equals(crash.core));
        const piped = await coredump(["dump", name()]);
        assert.ok(piped.stdout.equals(crash.core));
        const bundle = await coredump(["dump", name(), "--bundle", `${storage}.tar.zst`]);
        assert.equal(bundle.code, 0, bundle.stderr);
        const inside = execFileSync("sh", ["-c", `tar --zstd -xOf ${storage}.tar.zst core`], {
          cwd: folder.path,
          maxBuffer: 1 << 30,
        });
        assert.ok(inside.equals(crash.core));
        const verified = await coredump(["verify", name()]);
        assert.equal(verified.code, 0, verified.stderr);
        assert.match(verified.stdout.toString(), / yes +right\n/);
      });

      test("endpoint names the pod's dumps; dump --endpoint takes them all", async () => {
        const made = await coredump(["endpoint", "create", "web-0"]);
        assert.equal(made.code, 0, made.stderr);
        const listed = await coredump(["endpoint", "list"]);
        assert.match(listed.stdout.toString(), new RegExp(`web-0 .*${crash.coredump["spec"].uid}`));
        const { code, stderr } = await coredump(["dump", "--endpoint", "web-0", `${storage}.tar`]);
        assert.equal(code, 0, stderr);
        const inside = execFileSync("sh", ["-c", `tar -xOf ${storage}.tar`], { cwd: folder.path, maxBuffer: 1 << 30 });
        assert.ok(inside.equals(crash.core));
        const other = await coredump(["dump", "--endpoint", "web-0", "--container", "other", "none.tar"]);
        assert.ok(other.code === 0 || /not found|no /.test(other.stderr), other.stderr);
        assert.equal((await coredump(["endpoint", "delete", "web-0"])).code, 0);
      });
    });

  test("debug --sysroot prints the crashing function", async () => {
    const root = join(folder.path, "root");
    const copied = execFileSync("sh", [
      "-c",
      `mkdir -p ${root}/app && cp ${program("crash-dynamic")} ${root}/app/server`,
    ]);
    assert.equal(copied.length, 0);
    const { code, stdout, stderr } = await coredump(["debug", name(), "--sysroot", root, "--print-backtrace"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout.toString(), BACKTRACE);
  });

  test("debug --in-cluster prints it of an image without a shell, where pods are restricted; its pod goes away", async () => {
    const { code, stdout, stderr } = await coredump(["debug", name(), "--in-cluster", "--print-backtrace"]);
    assert.equal(code, 0, stderr);
    // No pod waited for a digest that no registry has; and nothing else is said.
    const pod = "coredump-debug-\\w+";
    const want = `^Starting a pod with ${GDB_IMAGE} beside localhost/distroless:1\nCopying the core into pod ${pod}\n$`;
    assert.match(stderr, new RegExp(want));
    assert.match(stdout.toString(), /^Thread 1 .*\(crashed, SIGSEGV\)\n#0 /);
    assert.match(stdout.toString(), BACKTRACE);
    await eventually(async () => assert.equal(await pods(), "pod/web-0\n"));
  });

  test("debug --in-cluster is gdb in the pod, at the terminal", { skip: needs("command:script") }, async () => {
    const line = `kubectl coredump debug ${name()} --in-cluster -n ${mine}`;
    const child = spawn("script", ["-qec", line, "/dev/null"], {
      env: environment(),
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin.write("backtrace\nquit\n"); // no end of input: the terminal would say so to gdb
    const ended = once(child, "close");
    const shown = stripVTControlCharacters((await buffer(child.stdout)).toString().replaceAll("\r\n", "\n"));
    child.stdin.destroy();
    assert.deepEqual(await ended, [0, null], shown);
    assert.match(shown, BACKTRACE);
    await eventually(async () => assert.equal(await pods(), "pod/web-0\n"));
  });

  const pods = (): Promise<string> => cluster.in(mine).kubectl("get", "pods", "-o", "name");

  test("debug --in-cluster interrupted leaves no pod", async () => {
    const args = ["debug", name(), "--in-cluster", "--print-backtrace"];
    const { code, stderr } = await coredump(args, (child) => {
      child.stderr?.on("data", (chunk) => /Copying the core/.test(`${chunk}`) && child.kill("SIGINT"));
    });
    assert.equal(code, 130, stderr);
    await eventually(async () => assert.equal(await pods(), "pod/web-0\n"));
  });

  test("debug --in-cluster says what keeps the pod from running, and removes it", async () => {
    const missing = await coredump([
      "debug",
      name(),
      "--in-cluster",
      "--print-backtrace",
      "--gdb-image",
      "localhost/none:1",
    ]);
    assert.equal(missing.code, 72, missing.stderr);
    assert.match(
      missing.stderr,
      /error: Cannot start the debugger's pod \S+: (ErrImagePull|ImagePullBackOff).*\nhint: --gdb-image/,
    );
    const other = await coredump([
      "debug",
      name(),
      "--in-cluster",
      "--print-backtrace",
      "--image",
      "localhost/testbed:1",
    ]);
    assert.equal(other.code, 72);
    assert.match(other.stderr, /error: Cannot debug without \/app\/server: the image does not have it/);
    await eventually(async () => assert.equal(await pods(), "pod/web-0\n"));
  });

  test("kubectl completes commands, flags and names", async () => {
    const complete = async (...words: string[]): Promise<string[]> => {
      const env = { ...process.env, PATH: `${join(folder.path, "bin")}:/bin`, KUBECONFIG: alice.kubeconfig };
      const child = spawn("kubectl", ["__complete", "coredump", ...words], {
        env,
        stdio: ["ignore", "pipe", "ignore"],
      });
      return (await buffer(child.stdout)).toString().trim().split("\n");
    };
    assert.deepEqual(await complete("veri"), ["verify", ":4"]);
    assert.deepEqual(await complete("dump", "-n", mine, ""), [name(), ":4"]);
    assert.ok((await complete("debug", "--")).includes("--in-cluster"));
  });

  test("an API server of ours that is away is named as what is missing; listing goes on", async () => {
    await server.end();
    const { code, stderr } = await coredump(["dump", name(), "-"]);
    assert.equal(code, 69, stderr);
    assert.match(stderr, /hint: If this goes on: kubectl get apiservice v1alpha1\.coredump\.fujitsu\.com says why/);
    assert.equal((await coredump(["list"])).code, 0);
  });

  test("delete removes what it names", async () => {
    const { code, stderr } = await coredump(["delete", name()]);
    assert.equal(code, 0, stderr);
    assert.match((await coredump(["info", name()])).stderr, /^error: Cannot find .*\nhint: kubectl coredump list -n /);
  });
});
