/** Crashes in containers whose pids, network or cgroups look like another's: the owner is right all the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cgroups, type EngineKind, type RunSpec, startEngine } from "../../support/engines.ts";
import { Handler } from "../../support/faults.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");
const crash = ["/bin/crash", "0"];

/** `first`: the crashed process is the container's pid 1. */
const PODS: readonly { on: string; spec: RunSpec; first?: true }[] = [
  { on: "a pod with the host's pids", spec: { hostPid: true, command: crash } },
  { on: "a pod with the host's network", spec: { hostNetwork: true, command: crash }, first: true },
  { on: "an init container", spec: { container: "init-db", attempt: 2, command: crash }, first: true },
  { on: "a child of a shell", spec: { command: ["/bin/sh", "-c", "/bin/crash 0; exit 139"] } },
];

const ENGINES: readonly [EngineKind, Cgroups][] = [
  ["containerd-2", "systemd"],
  ["containerd-2", "v2"],
  ["docker", "systemd"],
];

for (const [kind, cgroups] of ENGINES) {
  test(`crashes in ${kind}, cgroups ${cgroups}, have their owner`, { skip }, async (t) => {
    await using engine = await startEngine(kind, cgroups);
    const endpoint =
      kind === "docker" ? { "docker-host": `unix://${engine.socket}` } : { "cri-endpoint": engine.socket };
    for (const [at, { on, spec, first }] of PODS.entries()) {
      await t.test(on, async () => {
        using handler = new Handler({ settings: endpoint, crashesOf: "anybody" });
        const named = { pod: `web-${at}`, namespace: "shop", container: `app-${at}`, ...spec };
        const { id, podUid } = await withPattern(handler.pattern(), async () => {
          const ran = await engine.run(named);
          await handler.ended();
          return ran;
        });
        const { owner, pod, container, identity, core, hostPid, containerPid } = await handler.record();
        assert.deepEqual([core.complete, owner], [true, kind === "docker" ? "docker" : "pod"]);
        assert.deepEqual([container?.id, container?.name], [id, named.container]);
        if (podUid !== undefined) {
          assert.deepEqual(pod, { namespace: "shop", name: named.pod, uid: podUid });
          assert.equal(container?.attempt, spec.attempt ?? 0);
        }
        assert.deepEqual([identity.confirmed, identity.problem], [true, null]);
        assert.equal(containerPid === hostPid, spec.hostPid === true);
        assert.equal(containerPid === 1, first === true);
      });
    }
  });
}
