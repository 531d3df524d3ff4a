/**
 * The system calls that Node has no name for, through node:ffi (experimental in Node 26). Loaded on first use only.
 *
 * Errors  SYSTEM_CALL_FAILED with the call's name and errno; `undefined` from `libc()` where there is no ffi, so that a
 *         caller who can do without (locks, a larger pipe) goes on.
 */
import { constants } from "node:fs";
import { constants as osConstants } from "node:os";
import { getSystemErrorName } from "node:util";
import { DumpError } from "../domain/failures.ts";

const SIGNATURES = {
  flock: { arguments: ["int32", "int32"], return: "int32" },
  fcntl: { arguments: ["int32", "int32", "int32"], return: "int32" },
  setns: { arguments: ["int32", "int32"], return: "int32" },
  lseek: { arguments: ["int32", "int64", "int32"], return: "int64" },
  process_vm_readv: { arguments: ["int32", "pointer", "uint64", "pointer", "uint64", "uint64"], return: "int64" },
  alarm: { arguments: ["uint32"], return: "uint32" },
  chroot: { arguments: ["pointer"], return: "int32" },
  madvise: { arguments: ["uint64", "uint64", "int32"], return: "int32" },
  syscall: { arguments: ["int64", "uint64", "uint64", "uint64", "uint64", "uint64"], return: "int64" },
  getrusage: { arguments: ["int32", "pointer"], return: "int32" },
  linkat: { arguments: ["int32", "pointer", "int32", "pointer", "int32"], return: "int32" },
  mallopt: { arguments: ["int32", "int32"], return: "int32" },
  klogctl: { arguments: ["int32", "pointer", "int32"], return: "int32" },
  __errno_location: { arguments: [], return: "pointer" },
} as const;

type Libc = {
  flock(fd: number, operation: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  setns(fd: number, kind: number): number;
  lseek(fd: number, offset: bigint, whence: number): bigint;
  /** @param iovs  two struct iovec: the local one, then the remote one */
  processVmRead(pid: number, iovs: Buffer): bigint;
  alarm(seconds: number): number;
  /** @param path closed by a NUL */
  chroot(path: Buffer): number;
  madvise(address: bigint, lengthBytes: bigint, advice: number): number;
  /** @param how  struct open_how */
  openat2(dirFd: number, path: Buffer, how: Buffer): number;
  linkat(fromFd: number, from: Buffer, toFd: number, to: Buffer, flags: number): number;
  mallopt(parameter: number, value: number): number;
  kcmp(pid: number, otherPid: number, type: number): number;
  /** Page faults of this thread so far that needed no disk. */
  minorFaults(): number;
  klogctl(type: number, buffer: Buffer): number;
  address(buffer: Buffer): bigint;
  errno(): number;
};

let loaded: Libc | undefined | null = null;

/** The C library's functions, or undefined when this Node cannot call them. */
export function libc(): Libc | undefined {
  if (loaded === null) loaded = load();
  return loaded;
}

function load(): Libc | undefined {
  try {
    // Not an import: that would load it, and end the program where it is missing.
    const ffi = process.getBuiltinModule("node:ffi");
    if (!ffi) return undefined;
    const { functions } = ffi.dlopen("libc.so.6", SIGNATURES);
    const errno = () => ffi.getInt32(functions.__errno_location() as unknown as bigint, 0);
    const processVmRead = (pid: number, iovs: Buffer) => {
      const local = ffi.getRawPointer(iovs);
      return functions.process_vm_readv(pid, local, 1n, local + 16n, 1n, 0n);
    };
    const chroot = (path: Buffer) => functions.chroot(ffi.getRawPointer(path));
    const pointer = ffi.getRawPointer;
    const openat2 = (dirFd: number, path: Buffer, how: Buffer) =>
      Number(functions.syscall(SYS_OPENAT2, BigInt(dirFd), pointer(path), pointer(how), BigInt(how.length), 0n));
    const kcmp = (pid: number, otherPid: number, type: number) =>
      Number(functions.syscall(SYS_KCMP, BigInt(pid), BigInt(otherPid), BigInt(type), 0n, 0n));
    const usage = Buffer.alloc(144); // struct rusage
    const minorFaults = () => {
      functions.getrusage(RUSAGE_THREAD, pointer(usage));
      return Number(usage.readBigInt64LE(64)); // ru_minflt
    };
    const linkat = (fromFd: number, from: Buffer, toFd: number, to: Buffer, flags: number) =>
      functions.linkat(fromFd, pointer(from), toFd, pointer(to), flags);
    const klogctl = (type: number, buffer: Buffer) => functions.klogctl(type, pointer(buffer), buffer.length);
    const { flock, fcntl, setns, lseek, alarm, madvise, mallopt } = functions;
    return {
      flock,
      fcntl,
      setns,
      lseek,
      alarm,
      madvise,
      mallopt,
      chroot,
      processVmRead,
      address: pointer,
      openat2,
      linkat,
      kcmp,
      minorFaults,
      klogctl,
      errno,
    };
  } catch {
    return undefined;
  }
}

const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;

/**
 * flock(2), exclusive, without waiting. The kernel drops it with the last descriptor, so a killed holder never blocks
 * anybody. @returns whether it was taken; true as well where locks are out of reach (then no process has any).
 */
export function tryFlock(fd: number): boolean {
  const c = libc();
  if (!c || c.flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = c.errno();
  if (errno === EWOULDBLOCK) return false;
  throw new DumpError("SYSTEM_CALL_FAILED", `Cannot lock descriptor ${fd}: errno ${errno}`);
}

/** The same on all architectures; the C library has no name for it before 2.42. */
const SYS_OPENAT2 = 437n;
/** The C library has no name for it. */
const SYS_KCMP = process.arch === "arm64" ? 272n : 312n;
const RUSAGE_THREAD = 1;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;

/**
 * A directory below another one, as a path only (O_PATH): no link is followed on the way, and nothing leads out of it
 * (openat2(2), Linux 5.6). @throws Error with the errno's name as its code; ENOSYS where it cannot be called
 */
export function openBeneath(dirFd: number, path: string): number {
  const how = Buffer.alloc(24); // struct open_how: flags, mode, resolve
  how.writeBigUInt64LE(BigInt(O_PATH | O_CLOEXEC | constants.O_DIRECTORY), 0);
  how.writeBigUInt64LE(BigInt(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), 16);
  return called("openat2", (c) => c.openat2(dirFd, Buffer.from(`${path}\0`), how));
}

/** A path is as open(2) would take it (linkat(2)). */
export const AT_FDCWD = -100;

/**
 * A name for an open file in a directory (linkat(2)): for the file itself, whatever its names have become meanwhile.
 * @throws Error with the errno's name as its code: EEXIST when the name is taken
 */
export function linkDescriptor(fd: number, dirFd: number, name: string): void {
  const AT_SYMLINK_FOLLOW = 0x400; // of /proc's link, which needs no right that AT_EMPTY_PATH would
  const [from, to] = [Buffer.from(`/proc/self/fd/${fd}\0`), Buffer.from(`${name}\0`)];
  called("linkat", (c) => c.linkat(AT_FDCWD, from, dirFd, to, AT_SYMLINK_FOLLOW));
}

/** As Node's own calls fail. */
function called(name: string, call: (c: Libc) => number): number {
  const c = libc();
  const answer = c ? call(c) : -1;
  if (answer >= 0) return answer;
  const errno = -(c?.errno() ?? osConstants.errno.ENOSYS);
  throw Object.assign(new Error(name), { errno, code: getSystemErrorName(errno), syscall: name });
}

/**
 * The last lines of the kernel's log, as many as fit (SYSLOG_ACTION_READ_ALL, syslog(2)); it takes no device, but CAP_SYSLOG where
 * `kernel.dmesg_restrict` is set. @returns how many bytes they are @throws Error with the errno's name as its code
 */
export function lastOfKernelLog(buffer: Buffer): number {
  const SYSLOG_ACTION_READ_ALL = 3;
  return called("syslog", (c) => c.klogctl(SYSLOG_ACTION_READ_ALL, buffer));
}

/** F_SETPIPE_SZ (fcntl(2)); a refusal costs speed only and is ignored. */
export function enlargePipe(fd: number, bytes: number): void {
  const F_SETPIPE_SZ = 1031;
  libc()?.fcntl(fd, F_SETPIPE_SZ, bytes);
}

/** chroot(2), and `/` of there as the working directory. @throws DumpError SYSTEM_CALL_FAILED; it takes CAP_SYS_CHROOT */
export function enterRoot(path: string): void {
  const c = libc();
  if (!c) throw new DumpError("SYSTEM_CALL_FAILED", `Cannot enter ${path}: this Node.js has no node:ffi`);
  if (c.chroot(Buffer.from(`${path}\0`)) !== 0)
    throw new DumpError("SYSTEM_CALL_FAILED", `Cannot enter ${path}: chroot: errno ${c.errno()}`);
  process.chdir("/");
}

const CLONE_NEWUTS = 0x04000000;

/** Runs `act` with this thread in the UTS namespace of `fd` (setns(2)); false when that is not possible. */
export function inUtsNamespace(fd: number, ownFd: number, act: () => void): boolean {
  const c = libc();
  if (c?.setns(fd, CLONE_NEWUTS) !== 0) return false;
  try {
    act();
  } finally {
    c.setns(ownFd, CLONE_NEWUTS);
  }
  return true;
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const ENXIO = 6;

/**
 * Where the next data of a sparse file begin, from `position` on (SEEK_DATA, lseek(2)): all before it is a hole.
 * @returns `lengthBytes` after the last data; `position` itself where it cannot be found out
 */
export function nextData(fd: number, position: number, lengthBytes: number): number {
  const c = libc();
  const found = Number(c?.lseek(fd, BigInt(position), SEEK_DATA) ?? position);
  if (found >= 0) return found;
  return c?.errno() === ENXIO ? lengthBytes : position;
}

/** Where they end that begin at `position` (SEEK_HOLE); `lengthBytes` where it cannot be found out. */
export function dataEnd(fd: number, position: number, lengthBytes: number): number {
  const found = Number(libc()?.lseek(fd, BigInt(position), SEEK_HOLE) ?? -1);
  return found > position && found < lengthBytes ? found : lengthBytes;
}
