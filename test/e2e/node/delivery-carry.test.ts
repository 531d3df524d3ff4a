/** A whole delivery, by the process that the agent sends, into volumes that are what their tenants made of them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DeliveryJob } from "../../../src/node/delivery/job.ts";
import { CORE_BYTES, deliver, HIDDEN, NAME, tmpfs, type Volume, volume } from "../../node/delivery/volumes.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root");

test("a delivery: the core, holes and all, under its one name, the process's and for nobody else", {
  skip,
}, async () => {
  using at = volume();
  assert.deepEqual(await deliver(at), { reason: "Delivered", message: `/var/coredump/${NAME} of container app` });
  const { uid, gid, mode, size, blocks, nlink } = statSync(join(at.dir, NAME));
  assert.deepEqual(
    { uid, gid, mode, size, nlink },
    { uid: 1000, gid: 1001, mode: 0o100600, size: CORE_BYTES, nlink: 1 },
  );
  assert.ok(blocks * 512 < 2 << 20, `${blocks} blocks: holes were filled`);
  assert.ok(readFileSync(join(at.dir, NAME)).equals(at.core()));
  assert.deepEqual(at.files(), [NAME]);
});

test("a delivery that is done again changes nothing", { skip }, async () => {
  using at = volume();
  await deliver(at);
  const { ino, mtimeMs } = statSync(join(at.dir, NAME));
  assert.equal((await deliver(at)).reason, "Delivered");
  const again = statSync(join(at.dir, NAME));
  assert.deepEqual([again.ino, again.mtimeMs, at.files()], [ino, mtimeMs, [NAME]]);
});

const hostile: { on: string; make: (at: Volume) => void; want: string }[] = [
  { on: "a FIFO under its name", make: (at) => execFileSync("mkfifo", [join(at.dir, NAME)]), want: "NameTaken" },
  { on: "a directory", make: (at) => mkdirSync(join(at.dir, NAME)), want: "NameTaken" },
  { on: "a link to the node", make: (at) => symlinkSync(at.job.core, join(at.dir, NAME)), want: "NameTaken" },
  { on: "a link to nothing", make: (at) => symlinkSync(join(at.node, "new"), join(at.dir, NAME)), want: "NameTaken" },
  { on: "a shorter file", make: (at) => writeFileSync(join(at.dir, NAME), "theirs"), want: "NameTaken" },
  { on: "a directory under the hidden name", make: (at) => mkdirSync(join(at.dir, HIDDEN)), want: "NameTaken" },
  { on: "a hidden FIFO", make: (at) => execFileSync("mkfifo", [join(at.dir, HIDDEN)]), want: "Delivered" },
  { on: "a hidden link to the node", make: (at) => symlinkSync(at.job.core, join(at.dir, HIDDEN)), want: "Delivered" },
  { on: "a hidden rest of a killed one", make: (at) => writeFileSync(join(at.dir, HIDDEN), "x"), want: "Delivered" },
  {
    on: "a hidden name of its own file",
    make: (at) => {
      writeFileSync(join(at.dir, "theirs"), "theirs");
      linkSync(join(at.dir, "theirs"), join(at.dir, HIDDEN));
    },
    want: "Delivered",
  },
];

for (const { on, make, want } of hostile)
  test(`a container that put ${on} there harms nobody: ${want}`, { skip }, async () => {
    using at = volume();
    const before = at.core();
    make(at);
    const theirs = lstatSync(join(at.dir, NAME), { throwIfNoEntry: false })?.ino;
    assert.equal((await deliver(at)).reason, want);
    assert.ok(at.core().equals(before), "the core in the cache");
    assert.equal(statSync(join(at.node, "new"), { throwIfNoEntry: false }), undefined);
    if (want === "Delivered") assert.ok(readFileSync(join(at.dir, NAME)).equals(before));
    else assert.equal(lstatSync(join(at.dir, NAME), { throwIfNoEntry: false })?.ino, theirs);
    if (at.files().includes("theirs")) assert.equal(readFileSync(join(at.dir, "theirs"), "utf8"), "theirs");
  });

const elsewhere: { on: string; make: (at: Volume) => Partial<DeliveryJob> | undefined; want: string }[] = [
  { on: "the kubelet has unmounted", make: (at) => void at.unmount(), want: "NotMounted" },
  { on: "the pod's folder is gone", make: () => mount({ podUid: "uid-2" }), want: "NotMounted" },
  { on: "the kubelet's root is another", make: () => mount({ kubeletRoot: "/proc" }), want: "NotMounted" },
  { on: "a name leads out", make: () => mount({ container: "../pv-1/app" }), want: "NotMounted" },
  {
    on: "a link is on the way",
    make: ({ job }) => {
      const pods = join(job.mount.kubeletRoot, "pods");
      symlinkSync("uid-1", join(pods, "uid-3"));
      return mount({ podUid: "uid-3" });
    },
    want: "NotMounted",
  },
  { on: "the core is gone", make: ({ job }) => void rmSync(job.core), want: "CoreGone" },
  { on: "the core is another", make: ({ job }) => void writeFileSync(job.core, "x"), want: "CoreGone" },
  { on: "the pod's ids are unknown", make: () => ({ mapped: true }), want: "OwnerUnknown" },
];
const mount = (change: Partial<DeliveryJob["mount"]>) => ({ mount: change }) as Partial<DeliveryJob>;

for (const { on, make, want } of elsewhere)
  test(`nothing is delivered when ${on}: ${want}`, { skip }, async () => {
    using at = volume();
    const change = make(at) ?? {};
    const outcome = await deliver(at, { ...change, mount: { ...at.job.mount, ...change.mount } });
    assert.equal(outcome.reason, want, outcome.message);
    assert.deepEqual(at.files(), []);
    assert.deepEqual(filesBelow(at.job.mount.kubeletRoot), [], "on the node's own disk");
  });

const filesBelow = (dir: string): string[] =>
  execFileSync("find", [dir, "-type", "f"], { encoding: "utf8" }).split("\n").filter(Boolean);

test("a full volume keeps nothing of it, and may have room later", { skip }, async () => {
  using at = volume(() => tmpfs("1M"));
  const outcome = await deliver(at);
  assert.deepEqual([outcome.reason, "mayPass" in outcome && outcome.mayPass], ["VolumeFull", true], outcome.message);
  assert.deepEqual(at.files(), []);
});

test("a read-only volume is said to be one", { skip }, async () => {
  using at = volume();
  execFileSync("mount", ["-o", "remount,bind,ro", at.mount]);
  const outcome = await deliver(at);
  assert.deepEqual([outcome.reason, "mayPass" in outcome && outcome.mayPass], ["ReadOnly", false]);
});

test("where the pod has a user namespace of its own, the volume stores the container's ids", { skip }, async () => {
  using at = volume();
  const map = [{ containerId: 0, hostId: 131072, length: 65536 }];
  const userns = join(at.job.mount.kubeletRoot, "pods/uid-1/userns");
  writeFileSync(userns, JSON.stringify({ uidMappings: map, gidMappings: map }));
  const ids = { uid: 131072 + 1000, gid: 131072 + 1001, groups: [] };
  assert.equal((await deliver(at, { ids, mapped: true })).reason, "Delivered");
  const { uid, gid } = statSync(join(at.dir, NAME));
  assert.deepEqual([uid, gid], [1000, 1001]);
});

/** What a server with root_squash makes of root: nobody, who may neither enter, nor write, nor give away. */
const SQUASHED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-chown,-fowner"];
const squash = { skip: needs("root", "command:setpriv") };

test("where root is nobody it is the process's own user who writes", squash, async () => {
  using at = volume();
  chownSync(at.dir, 1000, 1001);
  chmodSync(at.dir, 0o700);
  assert.equal((await deliver(at, {}, ...SQUASHED)).reason, "Delivered");
  const { uid, gid, mode } = statSync(join(at.dir, NAME));
  assert.deepEqual([uid, gid, mode & 0o7777, at.files()], [1000, 1001, 0o600, [NAME]]);
});

test("where root may write but not give away, nothing of root's is left", squash, async () => {
  using at = volume();
  chmodSync(at.dir, 0o777);
  assert.equal((await deliver(at, {}, ...SQUASHED)).reason, "Delivered");
  assert.deepEqual([statSync(join(at.dir, NAME)).uid, at.files()], [1000, [NAME]]);
});

test("where only a group of the process may write, it does", squash, async () => {
  using at = volume();
  chownSync(at.dir, 4242, 2000);
  chmodSync(at.dir, 0o770);
  const ids = { uid: 1000, gid: 1001, groups: [2000] };
  assert.equal((await deliver(at, { ids }, ...SQUASHED)).reason, "Delivered");
  using closed = volume();
  chownSync(closed.dir, 4242, 2000);
  chmodSync(closed.dir, 0o770);
  const outcome = await deliver(closed, {}, ...SQUASHED);
  assert.deepEqual([outcome.reason, "mayPass" in outcome && outcome.mayPass], ["AccessDenied", false]);
});
