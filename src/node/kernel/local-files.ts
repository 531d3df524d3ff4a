/**
 * Which file systems may be asked for a file of the crashed process: those whose data are on this machine. Asking another
 * (NFS, FUSE, 9p, Ceph) may wait for a server that is gone, or for one that the crashed process's owner runs and stops.
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
 * Tells whether a device ("8:1") is local. An overlay is what its layers are, which are paths in the namespace of whoever
 * mounted it. So one counts where the machine's own namespace has it, as engines mount them there; any user can make
 * another one over a server of his (user_namespaces(7); overlay since 5.11, FUSE since 4.18).
 *
 * @param own  mountinfo of the crashed process
 * @param machine  that of the first namespace, read when it is needed: before 6.8 the device in /proc/P/maps is the layer's,
 *         which the process itself need not have mounted
 */
export function localDevices(own: Buffer | undefined, machine: () => Buffer | undefined): (device: string) => boolean {
  const theirs = own?.toString("latin1").split("\n") ?? [];
  let ours: readonly Mount[] | undefined;
  const known = new Map<string, boolean>();
  const judge = (device: string): boolean => {
    const type = typeIn(theirs.find((line) => line.split(" ", 3)[2] === device));
    if (type !== undefined && type !== "overlay") return LOCAL.has(type);
    ours ??= mountsIn(machine());
    const mounts = ours;
    const mount = mounts.find((each) => each.device === device);
    if (mount?.type !== "overlay") return mount !== undefined && LOCAL.has(mount.type);
    return layersOf(mount).every((path) => isLocal(path, mounts));
  };
  return (device) => {
    const is = known.get(device) ?? judge(device);
    known.set(device, is);
    return is;
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
    const isLocal = device !== undefined && localDevices(own, () => machine)(device);
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

/** A path in the machine's namespace. A layer that is an overlay itself is not looked into. */
function isLocal(path: string, mounts: readonly Mount[]): boolean {
  let deepest: Mount | undefined;
  for (const mount of mounts) {
    const holds = mount.place === "/" || path === mount.place || path.startsWith(`${mount.place}/`);
    if (holds && mount.place.length >= (deepest?.place.length ?? 0)) deepest = mount; // of two in one place the later one shows
  }
  return path.startsWith("/") && deepest !== undefined && LOCAL.has(deepest.type);
}

/** Engines shorten long lists of layers to names beside the upper one (`l/ABC`, `12/fs`), two levels above its directory. */
function layersOf({ options }: Mount): string[] {
  const values = (name: string) =>
    options.split(",").flatMap((each) => (each.startsWith(name) ? each.slice(name.length) : []));
  const [upper] = values("upperdir=");
  const lower = [...values("lowerdir=").flatMap((list) => list.split(/::?/)), ...values("lowerdir+=")];
  const base = upper?.startsWith("/") ? dirname(dirname(upper)) : undefined;
  const paths = [...lower, ...values("datadir+="), ...(upper ? [upper] : [])];
  if (lower.length === 0) return [""]; // nowhere: not local
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
