/** The resources' schemas, as the real API server understands them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { STATES } from "../../../src/domain/states.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds, coredump, statusPatch } from "../../support/coredump-resources.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");

/** Whatever a Coredump can say at its creation. */
const FULL = {
  attempt: 4,
  image: "registry.example/nginx:1",
  imageDigest: `sha256:${"9f".repeat(32)}`,
  containerPid: 1,
  processUid: 4294967294,
  processGid: 0,
  exe: "/usr/sbin/nginx",
  signal: { number: 11, name: "SIGSEGV" },
  processUptimeMs: 11520000,
};

const VALID: { on: string; spec: Record<string, unknown> }[] = [
  { on: "only what is required", spec: { id: undefined, node: undefined, namespaceUid: undefined } },
  { on: "all there is", spec: { ...FULL, size: "219136Ki", volume: "s3://cores/prod" } },
  { on: "a size in bytes, as a number", spec: { size: 224395264 } },
  { on: "a size of 0", spec: { size: 0 } },
  { on: "an empty volume, as the first detector wrote it", spec: { volume: "" } },
  { on: "an executable's name with anything that can be printed", spec: { filename: "a b\"\\x1b[31m!'..é/☃" } },
  { on: "a static pod's uid, a hash", spec: { uid: "5d41402abc4b2a76b9719d911017c592" } },
  { on: "a signal without a name", spec: { signal: { number: 42, name: "signal 42" } } },
  { on: "a time without milliseconds", spec: { dumptime: "2026-11-21T07:21:03Z" } },
];

const INVALID: { on: string; spec: Record<string, unknown>; complaint: RegExp }[] = [
  ...["pod", "uid", "containerName", "pid", "filename", "dumptime"].map((field) => ({
    on: `no ${field}`,
    spec: { [field]: undefined },
    complaint: new RegExp(`spec\\.${field}: Required`),
  })),
  { on: "an id that is no UUIDv7", spec: { id: "6f1d6a2e-3c1b-4a5e-9a59-1f6f0f3f6c11" }, complaint: /spec\.id/ },
  { on: "a node that cannot be one's name", spec: { node: "Node_1" }, complaint: /spec\.node/ },
  { on: "a node's name with a slash", spec: { node: "node-1/.." }, complaint: /spec\.node/ },
  { on: "a pod's name with a slash", spec: { pod: "../etc" }, complaint: /spec\.pod/ },
  { on: "a uid that leads elsewhere", spec: { uid: ".." }, complaint: /spec\.uid/ },
  { on: "pid 0", spec: { pid: 0 }, complaint: /spec\.pid/ },
  { on: "a pid beyond the kernel's", spec: { pid: 4194305 }, complaint: /spec\.pid/ },
  { on: "a pid in quotes", spec: { pid: "1" }, complaint: /spec\.pid/ },
  { on: "a negative user id", spec: { processUid: -1 }, complaint: /spec\.processUid/ },
  { on: "a user id beyond 32 bits", spec: { processUid: 2 ** 32 }, complaint: /spec\.processUid/ },
  { on: "signal 65", spec: { signal: { number: 65, name: "SIGNONE" } }, complaint: /spec\.signal\.number/ },
  { on: "a signal without its number", spec: { signal: { name: "SIGSEGV" } }, complaint: /spec\.signal\.number/ },
  { on: "a negative size", spec: { size: -1 }, complaint: /spec\.size/ },
  { on: "a negative size, as text", spec: { size: "-1Gi" }, complaint: /spec\.size/ },
  { on: "a size that is no quantity", spec: { size: "much" }, complaint: /spec\.size/ },
  { on: "an escape sequence", spec: { filename: "nginx\u001b[31m" }, complaint: /spec\.filename/ },
  { on: "a line break in a path", spec: { exe: "/a\n/b" }, complaint: /spec\.exe/ },
  { on: "no executable's name", spec: { filename: "" }, complaint: /spec\.filename/ },
  { on: "a digest that is none", spec: { imageDigest: "latest" }, complaint: /spec\.imageDigest/ },
  { on: "a time that is none", spec: { dumptime: "yesterday" }, complaint: /spec\.dumptime/ },
  { on: "an attempt below 0", spec: { attempt: -1 }, complaint: /spec\.attempt/ },
];

/** A change of each field of FULL's, and of the required ones; null takes a field away. */
const CHANGES: Record<string, unknown> = {
  id: "01939b5a-7c11-7e21-9c3d-3f9c2a71b0df",
  node: "node-2",
  namespaceUid: "other",
  pod: "web-1",
  uid: "other",
  containerName: "sidecar",
  attempt: 5,
  image: null,
  imageDigest: null,
  pid: 1,
  containerPid: 2,
  processUid: 0,
  processGid: null,
  filename: "bash",
  exe: "/bin/bash",
  signal: { number: 6, name: "SIGABRT" },
  processUptimeMs: null,
  dumptime: "2026-11-21T07:21:03.513Z",
};

describe("custom resources", { skip }, () => {
  let cluster: Cluster;
  let admin: User;
  before(async () => {
    cluster = await startCluster();
    await applyCrds(cluster);
    admin = cluster.in(await cluster.namespace());
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const patch = (name: string, spec: Record<string, unknown>): string[] => [
    ...["patch", "coredump", name, "--type=merge", "--patch", JSON.stringify({ spec })],
  ];
  const created = async (name: string, spec = {}): Promise<Resource> =>
    await admin.send("create", coredump(name, spec));

  for (const { on, spec } of VALID)
    test(`Coredump takes ${on}`, async () => {
      const { spec: kept } = await admin.send("create", coredump("valid", spec), "--dry-run=server");
      assert.deepEqual(kept, JSON.parse(JSON.stringify(coredump("valid", spec)["spec"])));
    });

  for (const { on, spec, complaint } of INVALID)
    test(`Coredump refuses ${on}`, async () => {
      assert.match(await admin.sendRefusal("create", coredump("invalid", spec), "--dry-run=server"), complaint);
    });

  test("Coredump keeps nothing that its schema does not name", async () => {
    const kept = await admin.send("create", coredump("more", { environ: ["PASSWORD=x"] }), "--validate=false");
    assert.equal("environ" in kept["spec"], false);
  });

  test("Coredump.spec is immutable, field by field", async () => {
    await created("fixed", FULL);
    const fields = Object.keys({ ...coredump("fixed", FULL)["spec"] });
    assert.deepEqual(fields.sort(), Object.keys(CHANGES).sort());
    for (const [field, value] of Object.entries(CHANGES))
      assert.match(
        await admin.refusal(...patch("fixed", { [field]: value })),
        /spec.*(never changes|said at once)/,
        field,
      );
  });

  test("Coredump.spec gets no field later but volume and size", async () => {
    await created("later");
    for (const [field, value] of Object.entries(FULL))
      assert.match(await admin.refusal(...patch("later", { [field]: value })), /said at once/, field);
  });

  test("Coredump.spec.volume and size are set once", async () => {
    await created("once");
    await admin.kubectl(...patch("once", { size: "219136Ki" }));
    await admin.kubectl(...patch("once", { volume: "cores" }));
    for (const spec of [{ size: "1Ki" }, { size: null }, { volume: "other" }, { volume: null }, { volume: "" }])
      assert.match(await admin.refusal(...patch("once", spec)), /is set once/);
    await created("empty", { volume: "" });
    await admin.kubectl(...patch("empty", { volume: "cores" }));
  });

  test("Coredump's status is a subresource: no other write touches it, and it touches nothing else", async () => {
    const { status } = await admin.send("create", { ...coredump("sub"), status: { state: "Saved" } });
    assert.equal(status, undefined);
    const both = JSON.stringify({ status: { state: "Created" }, spec: { volume: "elsewhere" } });
    await admin.kubectl("patch", "coredump", "sub", "--subresource=status", "--type=merge", "--patch", both);
    await admin.kubectl(
      "patch",
      "coredump",
      "sub",
      "--type=merge",
      "--patch",
      JSON.stringify({ status: { state: "Saved" } }),
    );
    const object = await admin.get("coredump", "sub");
    assert.deepEqual(object["status"], { state: "Created" });
    assert.equal(object["spec"].volume, undefined);
  });

  test("Coredump.status.state is one of the states, and none but these", async () => {
    const { spec } = parse(readFileSync(join(ROOT, "install/crd/coredumps.yaml"), "utf8"));
    const { state } = spec.versions[0].schema.openAPIV3Schema.properties.status.properties;
    assert.deepEqual(state.enum, STATES);
    await created("states");
    for (const each of STATES.filter((name) => name !== "Denied"))
      await admin.kubectl("patch", "coredump", "states", ...statusPatch({ state: each }));
    assert.match(
      await admin.refusal("patch", "coredump", "states", ...statusPatch({ state: "Stored" })),
      /status\.state: Unsupported value/,
    );
    assert.match(
      await admin.refusal("patch", "coredump", "states", ...statusPatch({ state: null })),
      /a state is never taken back/,
    );
  });

  test("Coredump.status.state: Denied is final", async () => {
    await created("denied");
    await admin.kubectl("patch", "coredump", "denied", ...statusPatch({ state: "Denied" }));
    await admin.kubectl("patch", "coredump", "denied", ...statusPatch({ message: "Quota exceed", repeats: 1 }));
    const refusal = await admin.refusal("patch", "coredump", "denied", ...statusPatch({ state: "Allowed" }));
    assert.match(refusal, /Denied is final/);
  });

  test("Coredump.status holds what became of a dump, and what is no such thing is refused", async () => {
    await created("whole");
    const condition = { status: "True", reason: "AllBytes", message: "", lastTransitionTime: "2026-11-21T07:21:04Z" };
    const status = {
      state: "Saved",
      reason: "Verified",
      message: "Verified in the store",
      conditions: ["Captured", "Identified", "Stored", "Complete"].map((type) => ({ type, ...condition })),
      complete: true,
      ...{ logicalSize: "2Gi", expectedSize: 2147483648, bundleSize: "41Mi", checksum: `sha256:${"4b".repeat(32)}` },
      ...{ key: "shop/5d0c/nginx/nginx-1.tar.zst", signalCode: 1, faultAddress: "0xdeadbeef", heldMs: 310 },
      ...{ threads: [{ tid: 14, name: "worker-3", crashed: true }], threadCount: 33, repeats: 0 },
    };
    await admin.kubectl("patch", "coredump", "whole", ...statusPatch(status));
    assert.deepEqual((await admin.get("coredump", "whole"))["status"], status);
    const refused = {
      reason: "no word",
      faultAddress: "12",
      heldMs: -1,
      checksum: "4b",
      bundleSize: "-1",
      repeats: -1,
    };
    for (const [field, value] of Object.entries(refused))
      assert.match(
        await admin.refusal("patch", "coredump", "whole", ...statusPatch({ [field]: value })),
        new RegExp(`status\\.${field}`),
      );
  });

  test("kubectl get shows a line a dump, more with -o wide, and selects by field", async () => {
    await created("web-0-nginx-3f9c2a71b0de", { ...FULL, size: "224788480" });
    const crash = { title: "SIGSEGV at 0x0 in handle", version: 1, stack: [] };
    const status = { state: "Saved", displaySize: "214Mi", crash };
    await admin.kubectl("patch", "coredump", "web-0-nginx-3f9c2a71b0de", ...statusPatch(status));
    const [head, line] = (await admin.kubectl("get", "core", "web-0-nginx-3f9c2a71b0de")).split("\n");
    assert.match(head ?? "", /^NAME +STATE +POD +CONTAINER +EXECUTABLE +SIGNAL +SIZE +NODE +AGE +CRASH$/);
    const before = /^web-0-nginx-3f9c2a71b0de +Saved +web-0 +nginx +nginx +SIGSEGV +214Mi +node-1 +\S+ +/;
    assert.match(line ?? "", before);
    assert.equal((line ?? "").replace(before, ""), "SIGSEGV at 0x0 in handle");
    const wide = await admin.kubectl("get", "coredumps", "--output", "wide");
    assert.match(wide, /AGE +CRASH +COMPLETE +REASON +REPEATS +PID +IMAGE +VOLUME\n/);
    const chosen = await admin.kubectl(
      "get",
      "coredumps",
      "--field-selector=status.state=Saved,spec.pod=web-0",
      "-o",
      "name",
    );
    assert.match(chosen, /web-0-nginx-3f9c2a71b0de/);
    assert.doesNotMatch(chosen, /denied/);
  });

  test("kubectl explain says what each field is", async () => {
    for (const path of ["coredump.spec", "coredump.status", "coredumpquota.spec"]) {
      const lines = (await admin.kubectl("explain", path, "--recursive=false")).split("\n");
      assert.ok(lines.length > 5, path);
    }
    assert.match(await admin.kubectl("explain", "coredump.spec.size"), /what quotas charge/);
  });

  test("CoredumpQuota takes a quantity, and its status is the controller's", async () => {
    const quota = (hard: unknown): object => ({
      ...{ apiVersion: "coredump.fujitsu.com/v1", kind: "CoredumpQuota", metadata: { name: "default" } },
      spec: { hard },
    });
    for (const hard of [undefined, -1, "-1Gi", "much"])
      assert.match(await admin.sendRefusal("create", quota(hard)), /spec\.hard/, `${hard}`);
    await admin.send("create", { ...quota("4Gi"), status: { used: "1Gi" } });
    const used = statusPatch({ used: "219136Ki", hard: "4Gi" });
    await admin.kubectl("patch", "coredumpquota", "default", ...used);
    const [head, line] = (await admin.kubectl("get", "corequota")).split("\n");
    assert.match(head ?? "", /^NAME +USED +HARD +AGE$/);
    assert.match(line ?? "", /^default +219136Ki +4Gi +\S+$/);
  });
});
