/** Which files may be asked for while a process is held, and after: those that no server has, or none that could hang. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { reachOf } from "../../../src/node/kernel/local-files.ts";

const overlay = (device: string, options: string) =>
  `40 1 ${device} / /run/x/rootfs rw - overlay overlay rw,${options}\n`;
const MACHINE = [
  "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n",
  "2 1 0:30 / /layers/fuse rw - fuse.stargz rawBridge rw,user_id=0\n",
  "3 1 0:31 / /with\\040space rw - tmpfs none rw\n",
  "4 1 0:32 / /nfs rw - nfs4 host:/x rw\n",
].join("");

const WITHOUT_NFS = MACHINE.replace(/.*nfs4.*\n/, "");
const UPPER = "upperdir=/layers/9/fs,workdir=/layers/9/work";
const cases: readonly { on: string; device: string; own?: string; machine?: string; reach: ReturnType<ReturnType<typeof reachOf>> }[] = [
  { on: "ext4", device: "8:1", own: MACHINE, reach: "local" },
  { on: "FUSE", device: "0:30", own: MACHINE, reach: "served" },
  { on: "NFS", device: "0:32", own: MACHINE, reach: "never" },
  { on: "a device that is not mounted anywhere", device: "0:99", own: MACHINE, machine: MACHINE, reach: "never" },
  { on: "a layer's own device, as kernels before 6.8 show it", device: "8:1", machine: MACHINE, reach: "local" },
  { on: "a layer that a server has, likewise", device: "0:30", machine: MACHINE, reach: "served" },
  { on: "an overlay of local layers", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=/layers/1/fs:/layers/2/fs,${UPPER}`), reach: "local" },
  { on: "one whose layer is FUSE's", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=/layers/1/fs:/layers/fuse/fs,${UPPER}`), reach: "served" },
  { on: "one whose data layer is", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=/layers/1/fs::/layers/fuse,${UPPER}`), reach: "served" },
  { on: "one whose layers are listed one by one", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir+=/layers/1,lowerdir+=/layers/fuse,${UPPER}`), reach: "served" },
  { on: "one with shortened names", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=fuse/fs:2/fs,${UPPER}`), reach: "served" },
  { on: "one with shortened names, all local", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=l/AB:l/CD,${UPPER}`), reach: "local" },
  { on: "one with a space in a place", device: "0:50", machine: MACHINE + overlay("0:50", "lowerdir=/with\\040space/1"), reach: "local" },
  { on: "one without layers", device: "0:50", machine: MACHINE + overlay("0:50", "x=y"), reach: "never" },
  { on: "one that only the process has: any user can make it", device: "0:50", own: MACHINE + overlay("0:50", "lowerdir=/layers/1"), machine: MACHINE, reach: "never" },
  { on: "one that only the process has, where no NFS is mounted", device: "0:50", own: WITHOUT_NFS + overlay("0:50", "lowerdir=/layers/1"), machine: WITHOUT_NFS, reach: "served" },
  { on: "one that only the process has, where the machine has NFS", device: "0:50", own: overlay("0:50", "lowerdir=/layers/1"), machine: MACHINE, reach: "never" },
  { on: "an overlay over NFS", device: "0:50", machine: MACHINE + overlay("0:50", "lowerdir=/layers/1:/nfs/x"), reach: "never" },
  { on: "an overlay over an overlay, where no NFS is mounted", device: "0:51", own: WITHOUT_NFS + overlay("0:51", "lowerdir=/run/x/rootfs"), machine: WITHOUT_NFS + overlay("0:50", "lowerdir=/layers/1") + overlay("0:51", "lowerdir=/run/x/rootfs"), reach: "served" },
]; // biome-ignore format: one case a line
for (const { on, device, own = "", machine = "", reach } of cases)
  test(`reachOf() says of ${on}: ${reach}`, () => {
    const is = reachOf(Buffer.from(own), () => Buffer.from(machine));
    assert.deepEqual([is(device), is(device)], [reach, reach]);
  });
