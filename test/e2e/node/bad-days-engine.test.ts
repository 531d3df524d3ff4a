/** The container engine is away, refuses, hangs, talks nonsense; and owners who want no core get none. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deserted, type Fake, fakeServer } from "../../contract/runtime-fakes.ts";
import { type Engine, type EngineKind, type RunSpec, startEngine } from "../../support/engines.ts";
import { crash, Handler } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "testbed", "binary");
const ID = "06ad9f946097e3c8ce2f7fb0b5f71cb4cdeb39a2c7df68548d00c1946bc24bf9";

/** A cgroup that an engine could have made, for which no engine has any file. */
function containersCgroup(): Disposable & { readonly path: string } {
  const root = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].find((path) => existsSync(join(path, "cgroup.procs"))) ?? "";
  const parents = [
    join(root, "kubepods"),
    join(root, "kubepods/besteffort"),
    join(root, `kubepods/besteffort/pod${crypto.randomUUID()}`),
  ];
  const path = join(parents.at(-1) ?? "", ID);
  mkdirSync(path, { recursive: true });
  return {
    path,
    [Symbol.dispose]() {
      for (const folder of [path, ...parents.toReversed()])
        try {
          rmdirSync(folder);
        } catch {
          return; // others are in it
        }
    },
  };
}

const crashIn = (cgroup: string) =>
  crash("/bin/sh", "-c", `echo $$ > ${cgroup}/cgroup.procs && exec ${program("crash")} 0`);

/** @returns an engine's socket that is not there */
async function absent(): Promise<Fake> {
  const folder = tempDir();
  return { socket: join(folder.path, "no.sock"), [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() };
}

const ENGINES: readonly { on: string; engine: () => Promise<Fake>; why: RegExp }[] = [
  { on: "absent", engine: absent, why: /there is no such socket/ },
  { on: "refusing", engine: deserted, why: /refused|nothing listens/ },
  {
    on: "talking nonsense",
    engine: () => fakeServer((connection) => connection.write("220 mail\r\n\0\xff")),
    why: /the connection failed/,
  },
  { on: "hanging up", engine: () => fakeServer((connection) => connection.end()), why: /the connection failed/ },
  { on: "hanging", engine: () => fakeServer(() => {}), why: /in time|timed out|timeout/ },
];

for (const { on, engine, why } of ENGINES) {
  test(`with an engine that is ${on} the core is captured, and the record says why nobody owns it`, {
    skip,
  }, async () => {
    await using fake = await engine();
    using cgroup = containersCgroup();
    using handler = new Handler({ settings: { "cri-endpoint": fake.socket, "lookup-timeout": "100ms" } });
    await withPattern(handler.pattern(), async () => {
      assert.equal((await crashIn(cgroup.path)).signal, "SIGSEGV");
      if (on === "hanging") assert.equal(handler.pids().length, 1, "it still asks, with the process released");
    });
    const { state, core, owner, container, pod, identity } = await handler.record();
    assert.deepEqual([state, core.complete, owner, container?.id, pod], ["Captured", true, "unknown", ID, null]);
    assert.match(identity.problem ?? "", why);
    assert.doesNotMatch(identity.problem ?? "", /undefined|\n {4}at /);
  });
}

const OPT_OUT = { "coredump.fujitsu.com/no-coredump": "true" };

const OWNERS: readonly { kind: EngineKind; spec: RunSpec }[] = [
  { kind: "containerd-1.6", spec: { podLabels: OPT_OUT } },
  { kind: "containerd-2", spec: { podLabels: OPT_OUT } },
  { kind: "docker", spec: { labels: OPT_OUT } },
];

const endpoint = ({ kind, socket }: Engine) =>
  kind === "docker" ? { "docker-host": `unix://${socket}` } : { "cri-endpoint": socket };

for (const { kind, spec } of OWNERS) {
  test(`an owner who opted out (${kind}) has no core and no facts on the node, others have theirs`, {
    skip,
  }, async () => {
    await using engine = await startEngine(kind);
    using handler = new Handler({ settings: endpoint(engine), crashesOf: "anybody" });
    await withPattern(handler.pattern(), async () => {
      assert.equal((await engine.run({ pod: "private", container: "private", ...spec })).exitCode, 139);
      assert.equal((await engine.run({ pod: "public", container: "public" })).exitCode, 139);
      await handler.ended();
    });
    const [other, out] = await handler.records();
    assert.deepEqual([other?.container?.name, other?.state, other?.core.complete], ["public", "Captured", true]);
    assert.ok(out);
    assert.deepEqual(
      [out.container?.name, out.state, out.reason, out.core.path],
      ["private", "Refused", "OptedOut", null],
    );
    const left = readdirSync(handler.path(out.id), { recursive: true, encoding: "utf8" });
    assert.deepEqual(
      left.filter((name) => !["lock", "record.json"].includes(name)),
      [],
    );
  });
}

test("two pods of one name are told apart by their uids", { skip }, async () => {
  await using engine = await startEngine("containerd-2");
  using handler = new Handler({ settings: endpoint(engine), crashesOf: "anybody" });
  const uids = await withPattern(handler.pattern(), async () => {
    const ran = await Promise.all([1, 2].map(() => engine.run({ pod: "web-0", namespace: "shop" })));
    await handler.ended();
    return ran.map(({ podUid }) => podUid);
  });
  const pods = (await handler.records()).map(({ pod }) => pod);
  assert.deepEqual(
    pods.map((pod) => [pod?.namespace, pod?.name]),
    [
      ["shop", "web-0"],
      ["shop", "web-0"],
    ],
  );
  assert.deepEqual(pods.map((pod) => pod?.uid).sort(), uids.sort());
  assert.notEqual(uids[0], uids[1]);
});

test("with its engine's socket away a pod is known from the state files, and that nobody confirmed it", {
  skip,
}, async () => {
  await using engine = await startEngine("containerd-2");
  using handler = new Handler({ settings: endpoint(engine), crashesOf: "anybody" });
  await withPattern(handler.pattern(), async () => {
    renameSync(engine.socket, `${engine.socket}.away`); // our own client is connected already
    assert.equal((await engine.run({ pod: "web-0", namespace: "shop" })).exitCode, 139);
    await handler.ended();
  });
  renameSync(`${engine.socket}.away`, engine.socket);
  const { owner, pod, identity, core, state } = await handler.record();
  assert.deepEqual([state, core.complete, owner, pod?.name], ["Captured", true, "pod", "web-0"]);
  assert.deepEqual([identity.source, identity.confirmed], ["state-files", false]);
  assert.match(identity.problem ?? "", /there is no such socket/);
});
