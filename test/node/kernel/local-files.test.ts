/** Which files may be asked for while a process is held, and after: those that no server has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { localDevices } from "../../../src/node/kernel/local-files.ts";

const overlay = (device: string, options: string) =>
  `40 1 ${device} / /run/x/rootfs rw - overlay overlay rw,${options}\n`;
const MACHINE = [
  "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n",
  "2 1 0:30 / /layers/fuse rw - fuse.stargz rawBridge rw,user_id=0\n",
  "3 1 0:31 / /with\\040space rw - tmpfs none rw\n",
  "4 1 0:32 / /nfs rw - nfs4 host:/x rw\n",
].join("");

const UPPER = "upperdir=/layers/9/fs,workdir=/layers/9/work";
const cases: readonly { on: string; device: string; own?: string; machine?: string; local: boolean }[] = [
  { on: "ext4", device: "8:1", own: MACHINE, local: true },
  { on: "FUSE", device: "0:30", own: MACHINE, local: false },
  { on: "NFS", device: "0:32", own: MACHINE, local: false },
  { on: "a device that is not mounted anywhere", device: "0:99", own: MACHINE, machine: MACHINE, local: false },
  { on: "a layer's own device, as kernels before 6.8 show it", device: "8:1", machine: MACHINE, local: true },
  { on: "a layer that a server has, likewise", device: "0:30", machine: MACHINE, local: false },
  { on: "an overlay of local layers", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=/layers/1/fs:/layers/2/fs,${UPPER}`), local: true },
  { on: "one whose layer is FUSE's", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=/layers/1/fs:/layers/fuse/fs,${UPPER}`), local: false },
  { on: "one whose data layer is", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=/layers/1/fs::/layers/fuse,${UPPER}`), local: false },
  { on: "one whose layers are listed one by one", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir+=/layers/1,lowerdir+=/layers/fuse,${UPPER}`), local: false },
  { on: "one with shortened names", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=fuse/fs:2/fs,${UPPER}`), local: false },
  { on: "one with shortened names, all local", device: "0:50", machine: MACHINE + overlay("0:50", `lowerdir=l/AB:l/CD,${UPPER}`), local: true },
  { on: "one with a space in a place", device: "0:50", machine: MACHINE + overlay("0:50", "lowerdir=/with\\040space/1"), local: true },
  { on: "one without layers", device: "0:50", machine: MACHINE + overlay("0:50", "x=y"), local: false },
  { on: "one that only the process has: any user can make it", device: "0:50", own: MACHINE + overlay("0:50", "lowerdir=/layers/1"), machine: MACHINE, local: false },
]; // biome-ignore format: one case a line
for (const { on, device, own = "", machine = "", local } of cases)
  test(`localDevices() says of ${on} that it is ${local ? "" : "not "}local`, () => {
    const is = localDevices(Buffer.from(own), () => Buffer.from(machine));
    assert.deepEqual([is(device), is(device)], [local, local]);
  });
