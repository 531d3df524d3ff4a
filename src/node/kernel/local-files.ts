/**
 * Which file systems may be asked for a file of the crashed process, and when: those whose data are on this machine at any time.
 * Asking another (NFS, FUSE, 9p, Ceph) may wait for a server that is gone, or for one that the crashed process's owner runs and stops.
 */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { readUpTo, statusField } from "../../system/proc.ts";
import type { CrashedProcess } from "./crashed-process.ts";

/** open(2): a path only. FUSE is not asked for one, nor is any local file system. */
export const O_PATH = 0o10000000;
const MAX_MOUNTINFO_BYTES = 4 << 20;

/** Names as in /proc/P/mountinfo. */
const LOCAL = new Set(
  "ext2 ext3 ext4 xfs btrfs f2fs tmpfs ramfs rootfs squashfs erofs zfs bcachefs iso9660".split(" "),
);

interface Mount {
  readonly id: string;
  /** Major and minor in decimal. */
  readonly device: string;
  readonly place: string;
  readonly type: string;
  /** Of the file system, not of the mount. */
  readonly options: string;
}

/**
 * How a file system can be reached. `local`: its data are on this machine. `served`: a server has them, but is not asked when a
 * file is opened as a path: it may be read by a process that can be killed. `never`: not even that is certain.
 */
type FileReach = "local" | "served" | "never";

/** Types whose server is not asked for a path. */
const SERVED = /^(fuse(blk|\..*)?|virtiofs)$/;
/**
 * Types that ask their server even for a path that is there already, also as an overlay's layer: d_weak_revalidate of fs/nfs/dir.c
 * and fs/9p/vfs_dentry.c, called by complete_walk() of fs/namei.c and by fs/overlayfs/super.c.
 */
const ASKS = /^(nfs\d?|9p)$/;

const reachOfType = (type: string): FileReach => (LOCAL.has(type) ? "local" : SERVED.test(type) ? "served" : "never");
const REACHES: readonly FileReach[] = ["local", "served", "never"];
const worst = (all: readonly FileReach[]): FileReach => REACHES.findLast((reach) => all.includes(reach)) ?? "never";

/**
 * Tells how a device ("8:1") can be reached. An overlay is what its layers are, which are paths in the namespace of whoever
 * mounted it. They are known where the machine's own namespace has it, as engines mount them there; any user can make
 * another one over a server of his (user_namespaces(7); overlay since 5.11, FUSE since 4.18), but none over a server that is
 * asked for paths where no such file system is mounted.
 *
 * @param own  mountinfo of the crashed process
 * @param machine  that of the first namespace, read when it is needed: before 6.8 the device in /proc/P/maps is the layer's,
 *         which the process itself need not have mounted
 */
export function reachOf(own: Buffer | undefined, machine: () => Buffer | undefined): (device: string) => FileReach {
  const theirs = own?.toString("latin1").split("\n") ?? [];
  let ours: readonly Mount[] | undefined;
  const known = new Map<string, FileReach>();
  const judge = (device: string): FileReach => {
    const type = typeIn(theirs.find((line) => line.split(" ", 3)[2] === device));
    if (type !== undefined && type !== "overlay") return reachOfType(type);
    ours ??= mountsIn(machine());
    const mounts = ours;
    const mount = mounts.find((each) => each.device === device);
    if (mount && mount.type !== "overlay") return reachOfType(mount.type);
    const asks = mounts.some((each) => ASKS.test(each.type)) || theirs.some((line) => ASKS.test(typeIn(line) ?? ""));
    const unseen = type === "overlay" && !asks ? "served" : "never";
    return mount ? worst(layersOf(mount).map((path) => reachOfLayer(path, mounts) ?? unseen)) : unseen;
  };
  return (device) => {
    const reach = known.get(device) ?? judge(device);
    known.set(device, reach);
    return reach;
  };
}

const typeIn = (line: string | undefined): string | undefined => line?.split(" - ")[1]?.split(" ", 1)[0];

/** mountinfo of the first namespace, which a handler runs in. */
export function machineMounts(): Buffer | undefined {
  try {
    return readUpTo("/proc/self/mountinfo", MAX_MOUNTINFO_BYTES).bytes;
  } catch {
    return undefined;
  }
}

/**
 * What fstat(2) says of the file that the crashed process runs; undefined where it is not local: while the process is held,
 * nothing may wait for a server that its owner can stop.
 * @param mayBe  by inode, where the kernel tells it beforehand (5.14): whether more is of interest
 */
export function statOfExecutable(
  { memory, facts }: CrashedProcess,
  mayBe: (inode: string) => boolean = () => true,
): BigIntStats | undefined {
  const fd = openSync(memory.path("exe"), constants.O_RDONLY | O_PATH);
  try {
    const { mount, inode } = placeOf(fd);
    if (inode !== undefined && !mayBe(inode)) return undefined;
    const machine = machineMounts();
    const own = facts.get("mountinfo");
    const device = [own, machine].flatMap(mountsIn).find(({ id }) => id === mount)?.device;
    const isLocal = device !== undefined && reachOf(own, () => machine)(device) === "local";
    return isLocal ? fstatSync(fd, { bigint: true }) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** The mount and the inode of an open file (proc_pid_fdinfo(5)), which no file system is asked for. */
export function placeOf(fd: number): { readonly mount: string | undefined; readonly inode: string | undefined } {
  const info = readFileSync(`/proc/self/fdinfo/${fd}`);
  return { mount: statusField(info, "mnt_id"), inode: statusField(info, "ino") };
}

/** Of a path in the machine's namespace; undefined: it is not there, or an overlay itself, which is not looked into. */
function reachOfLayer(path: string, mounts: readonly Mount[]): FileReach | undefined {
  let deepest: Mount | undefined;
  for (const mount of mounts) {
    const holds = mount.place === "/" || path === mount.place || path.startsWith(`${mount.place}/`);
    if (holds && mount.place.length >= (deepest?.place.length ?? 0)) deepest = mount; // of two in one place the later one shows
  }
  return path.startsWith("/") && deepest && deepest.type !== "overlay" ? reachOfType(deepest.type) : undefined;
}

/** Engines shorten long lists of layers to names beside the upper one (`l/ABC`, `12/fs`), two levels above its directory. */
function layersOf({ options }: Mount): string[] {
  const values = (name: string) =>
    options.split(",").flatMap((each) => (each.startsWith(name) ? each.slice(name.length) : []));
  const [upper] = values("upperdir=");
  const lower = [...values("lowerdir=").flatMap((list) => list.split(/::?/)), ...values("lowerdir+=")];
  const base = upper?.startsWith("/") ? dirname(dirname(upper)) : undefined;
  const paths = [...lower, ...values("datadir+="), ...(upper ? [upper] : [])];
  if (lower.length === 0) return [""]; // nowhere
  return paths.map((path) => (path.startsWith("/") || base === undefined ? path : `${base}/${path}`));
}

const LINE = /^(\d+) \d+ (\d+:\d+) \S+ (\S+) .*? - (\S+) \S+ (.*)$/gm;

const mountsIn = (mountinfo: Buffer | undefined): Mount[] =>
  [...(mountinfo?.toString("latin1") ?? "").matchAll(LINE)].map(
    ([, id = "", device = "", place = "", type = "", options = ""]) => ({
      id,
      device,
      place: unescaped(place),
      type,
      options: type === "overlay" ? unescaped(options) : "",
    }),
  );

/** Spaces and the like are octal (proc_pid_mountinfo(5)). */
const unescaped = (text: string): string =>
  !text.includes("\\")
    ? text
    : text.replace(/\\([0-3][0-7]{2})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
