/** Processes in no container that an engine names: whether they are the host's own, the namespaces decide. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crashUnder, Handler } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

/** As the init of a container that was made without an engine's id in its cgroup (LXC, nspawn, `ctr run`). */
test("a container that no engine names is not the host's, whatever the policy for the host is", { skip }, async () => {
  for (const host of ["keep", "ignore"]) {
    using handler = new Handler({ settings: { host }, crashesOf: "anybody" });
    const inside = `hostname web01 && exec ${program("crash")} 0`;
    await crashUnder(handler, ["--fork", "--pid", "--mount", "--uts", "--ipc", "--mount-proc", "sh", "-c", inside], {
      command: "/usr/bin/unshare",
    });
    const record = (await handler.records()).find(({ executable }) => executable === "crash");
    assert.deepEqual([record?.owner, record?.state, record?.core.complete], ["unknown", "Captured", true]);
    assert.deepEqual([record?.hostname, record?.identity.problem], ["web01", "no engine names its container"]);
    assert.match(record?.identity.cgroup ?? "", /^\//);
    const { stdout } = handler.command("info", record?.id ?? "");
    assert.match(stdout, /in a container that no engine names[\s\S]*its cgroup is \/[\s\S]*called itself web01/);
  }
});

test("a host process that has mounts of its own stays the host's, and `info` shows its command line", {
  skip,
}, async () => {
  using handler = new Handler();
  await crashUnder(handler, ["--mount", program("crash"), "0"], { command: "/usr/bin/unshare" });
  const record = await handler.record();
  assert.deepEqual([record.owner, record.identity.problem], ["host", null]);
  const { stdout } = handler.command("info", record.id);
  assert.match(stdout, /crash 0\n[\s\S]*on the host itself/);
});
