/** What the agent makes of deliveries: when one is wanted, tried again, given up; and that the core waits for it. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { deliverDump } from "../../../src/cluster/steps/deliver.ts";
import type { ClaimPod } from "../../../src/domain/claim.ts";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import type { DeliveryJob, DeliveryOutcome } from "../../../src/node/delivery/job.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { Killed, NOW, scene } from "../../roles/agent/fakes.ts";

const POD: ClaimPod = {
  metadata: { annotations: { "coredump.fujitsu.com/pvcname": "cores" } },
  spec: {
    volumes: [{ name: "coredump-cores", persistentVolumeClaim: { claimName: "cores" } }],
    containers: [
      {
        name: "nginx",
        volumeMounts: [{ name: "coredump-cores", mountPath: "/var/coredump", subPath: "web-0/nginx" }],
      },
    ],
  },
};
const DONE: DeliveryOutcome = { reason: "Delivered", message: "/var/coredump/core_x of container nginx" };
const FULL: DeliveryOutcome = { reason: "VolumeFull", message: "the volume takes no more", mayPass: true };
const READ_ONLY: DeliveryOutcome = { reason: "ReadOnly", message: "the volume is read-only", mayPass: false };

/** A captured dump of a pod that names a claim; `outcomes` are what its tries come to. */
function claimed(outcomes: readonly DeliveryOutcome[] = [DONE], change: Partial<DumpRecord> = {}) {
  const at = scene({ dumpable: 1, processUid: 1000, processGid: 1000, ...change });
  const jobs: DeliveryJob[] = [];
  at.cluster.podNow = { uid: at.record()?.pod?.uid ?? "", labels: {}, object: POD, hostUsers: true };
  at.context.deliver = {
    kubeletRoot: "/k",
    forMs: 600_000,
    send: async (job) => {
      at.cluster.around("before delivery");
      jobs.push(job);
      at.cluster.around("after delivery");
      return outcomes[Math.min(jobs.length, outcomes.length) - 1] ?? DONE;
    },
  };
  const signal = new AbortController().signal;
  const condition = () => at.cluster.only?.status?.conditions?.find(({ type }) => type === "Delivered");
  return {
    ...at,
    jobs,
    deliver: () => deliverDump({ ...at.context, entry: at.entry, mayShip: false, signal }),
    delivery: () => at.record()?.delivery,
    said: () => {
      const { status, reason } = condition() ?? {};
      return `${status} ${reason}`;
    },
    condition,
  };
}

test("deliverDump() delivers while the dump waits for its decision, and the object says so", async () => {
  using at = claimed();
  assert.equal(await at.step(), "waiting");
  assert.deepEqual([at.delivery()?.state, at.said()], ["Pending", "Unknown Waiting"]);
  assert.equal(await at.deliver(), "done");
  await at.step();
  assert.deepEqual([at.delivery()?.state, at.said()], ["Delivered", "True Delivered"]);
  assert.match(at.condition()?.message ?? "", /^claim cores: \/var\/coredump\/core_x/);
  assert.deepEqual(at.told, ["Created", "Delivered: Delivered"]);
  assert.equal(await at.deliver(), "done");
  assert.equal(at.jobs.length, 1);
});

test("deliverDump() sends what the record and the pod say, and nothing that the process chose but its name", async () => {
  using at = claimed();
  mkdirSync(at.entry.path("facts"));
  writeFileSync(at.entry.path("facts/status"), "Name:\tnginx\nGroups:\t1000 2000 \n");
  await at.step();
  await at.deliver();
  const { name, core, ...job } = at.jobs[0] ?? assert.fail("nothing was sent");
  assert.match(name, /^core_nginx_20261121T072103512Z_[0-9a-f]{12}$/);
  assert.equal(core, at.entry.core);
  assert.deepEqual(job, {
    coreBytes: 9,
    mapped: false,
    ids: { uid: 1000, gid: 1000, groups: [1000, 2000] },
    mount: { kubeletRoot: "/k", podUid: at.record()?.pod?.uid, container: "nginx", index: 0 },
  });
});

for (const judged of ["Allowed", "Denied"] as const)
  test(`advanceDump() keeps the core of a dump that is ${judged} until its delivery is settled`, async () => {
    using at = claimed([FULL, READ_ONLY]);
    await at.step();
    at.cluster.judge(judged, "so it is");
    assert.equal(await at.step(), "waiting");
    assert.equal(await at.deliver(), "waiting");
    assert.deepEqual([at.delivery()?.state, at.delivery()?.reason], ["Pending", "VolumeFull"]);
    assert.equal(await at.step(), "waiting");
    assert.deepEqual([existsSync(at.entry.core), at.bundles], [true, []]);
    assert.equal(await at.deliver(), "done");
    assert.equal(await at.step(), "done");
    const ended = judged === "Allowed" ? "Saved" : "Denied";
    assert.deepEqual([at.record()?.state, at.cluster.only?.status?.state], [ended, ended]);
    assert.deepEqual([at.said(), existsSync(at.entry.core)], ["False ReadOnly", false]);
    assert.equal(at.bundles.length, judged === "Allowed" ? 1 : 0);
  });

test("deliverDump() gives up when the time for it is over", async () => {
  using at = claimed([FULL]);
  await at.step();
  for (const [minutes, state] of [
    [0, "Pending"],
    [9, "Pending"],
    [10, "GivenUp"],
  ] as const) {
    at.context.now = () => new Date(NOW.getTime() + minutes * 60_000);
    await at.deliver();
    assert.deepEqual([at.delivery()?.state, at.delivery()?.reason], [state, "VolumeFull"], `${minutes} min`);
  }
  assert.equal(at.told.at(-1), "GivenUp: VolumeFull");
});

const never: { on: string; change?: Partial<DumpRecord>; pod?: null; want: string }[] = [
  {
    on: "a process that had changed its credentials",
    change: { state: "Restricted", dumpable: 2 },
    want: "NotDumpable",
  },
  { on: "a process of which nobody knows", change: { dumpable: null }, want: "NotDumpable" },
  { on: "a pod that is gone", pod: null, want: "PodGone" },
];
for (const { on, change, pod, want } of never)
  test(`advanceDump() says at once why nothing of ${on} is delivered`, async () => {
    using at = claimed([DONE], change);
    if (pod === null) {
      at.cluster.podNow = undefined;
      writeFileSync(at.entry.path("pod.json"), JSON.stringify(POD.metadata)); // of the run-time
    }
    await at.step();
    assert.deepEqual([at.delivery()?.state, at.delivery()?.reason], ["GivenUp", want]);
    assert.deepEqual([at.said(), at.told[0]], [`False ${want}`, `GivenUp: ${want}`]);
    assert.equal(await at.deliver(), "done");
    assert.deepEqual(at.jobs, []);
  });

const unasked: { on: string; object: ClaimPod; labels?: Record<string, string> }[] = [
  { on: "no annotation", object: { ...POD, metadata: {} } },
  { on: "an empty one", object: { ...POD, metadata: { annotations: { "coredump.fujitsu.com/pvcname": "" } } } },
  { on: "an opt-out", object: POD, labels: { "coredump.fujitsu.com/no-coredump": "true" } },
];
for (const { on, object, labels = {} } of unasked)
  test(`advanceDump() has nothing delivered of a pod with ${on}`, async () => {
    using at = claimed();
    at.cluster.podNow = { uid: at.record()?.pod?.uid ?? "", labels, object, hostUsers: true };
    await at.step();
    assert.deepEqual([at.delivery(), at.condition(), await at.deliver(), at.jobs], [null, undefined, "done", []]);
  });

const vanished: { on: string; make: (at: ReturnType<typeof claimed>) => void; want: string }[] = [
  {
    on: "the pod",
    make: ({ cluster }) => {
      cluster.podNow = undefined;
    },
    want: "PodGone",
  },
  {
    on: "the mount",
    make: ({ cluster }) => {
      cluster.podNow = cluster.podNow && { ...cluster.podNow, object: {} };
    },
    want: "NotMounted",
  },
  {
    on: "the core",
    make: (at) => {
      const record = at.record();
      writeFileSync(at.entry.record, JSON.stringify({ ...record, core: { ...record?.core, path: null } }));
    },
    want: "CoreGone",
  },
];
for (const { on, make, want } of vanished)
  test(`deliverDump() gives up when ${on} went meanwhile`, async () => {
    using at = claimed();
    await at.step();
    make(at);
    assert.equal(await at.deliver(), "done");
    assert.deepEqual([at.delivery()?.state, at.delivery()?.reason, at.jobs], ["GivenUp", want, []]);
  });

test("deliverDump() needs neither an object nor a store", async () => {
  using at = claimed();
  at.cluster.namespaceNow = { ...at.cluster.namespaceNow, crdUid: undefined };
  await assert.rejects(at.step(), { code: "NOT_FOUND" });
  assert.equal(await at.deliver(), "done");
  assert.deepEqual([at.record()?.state, at.delivery()?.state], ["Captured", "Delivered"]);
});

test("deliverDump() leaves a dump alone that somebody else is at, and one that is stopped as it was", async () => {
  using at = claimed();
  await at.step();
  {
    using _lock = FileLock.try(at.entry.lock);
    assert.equal(await at.deliver(), "busy");
  }
  at.cluster.around = () => {
    throw new DumpError("API_UNAVAILABLE", "no");
  };
  await assert.rejects(at.deliver(), { code: "API_UNAVAILABLE" });
  assert.equal(at.delivery()?.state, "Pending");
});

test("advanceDump() and deliverDump() killed at any step deliver, and keep the core until then", async () => {
  for (let kill = 1, killed = true; killed; kill++) {
    using at = claimed();
    let calls = 0;
    killed = false;
    at.cluster.around = () => {
      if (++calls !== kill) return;
      killed = true;
      throw new Killed();
    };
    const isKilled = (error: unknown) => assert.ok(error instanceof Killed, String(error));
    for (let tries = 0; at.record()?.state !== "Saved" || at.said() !== "True Delivered"; tries++) {
      assert.ok(tries < 20, `kill ${kill}: ${at.record()?.state}, ${at.said()}`);
      await at.step().catch(isKilled);
      await at.deliver().catch(isKilled);
      if (at.delivery()?.state !== "Delivered") assert.ok(existsSync(at.entry.core), `kill ${kill}: the core is gone`);
      if (at.cluster.only?.status?.state === "Created") at.cluster.judge("Allowed");
    }
    assert.deepEqual([at.cluster.objects.size, at.bundles.length], [1, 1], `kill ${kill}`);
  }
});
