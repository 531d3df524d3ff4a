/**
 * Another process's memory by process_vm_readv(2): one copy, where /proc/P/mem goes through a page of its own.
 *
 * It pins the pages that it reads, and since Linux 5.19 pinning an anonymous page that is shared copy-on-write copies it
 * first, into the process that is read (a7f226604170, gup_must_unshare() in mm/gup.c). So it is for pages that are the
 * process's alone (architecture.md, rule 10). How often a page is mapped (pagemap's bit 56) is not quite the kernel's own
 * mark of that; therefore the page faults are counted that reading causes, and the first to cause any is the last.
 */
import { constants } from "node:os";
import { libc } from "./ffi.ts";
import { ProcDirectory } from "./proc.ts";

/** Bytes of a stretch of memory, counted from its beginning. */
interface ReadPiece {
  readonly at: number;
  readonly length: number;
}

/** So much is risked on memory of which nothing was read yet; each read without a fault lets the next be twice as long. */
const FIRST_BYTES = 64 << 10;
const MOST_BYTES = 4 << 20;
/** Faults that reading may see without being their cause: a page of our own buffer was taken away. */
const STRAY_FAULTS = 4;
/** A read of some megabytes takes a millisecond. */
const HUNG_S = 10;
const PAGE_BYTES = 4096; // no page is smaller

/**
 * It runs on this thread, so only pages that are present may be asked for, of memory that no other process shares: then
 * nothing can make it wait. Who hid from `sharesMemory()` can have put pages there that never come (userfaultfd(2), FUSE);
 * then alarm(2) ends us, and with us the wait for us.
 */
export class ProcessReader {
  readonly #pid: number;
  readonly #c = libc();
  readonly #iovs = Buffer.alloc(32);
  readonly #faultedIn = new WeakMap<Buffer, number>();
  /** Reading caused faults: these pages are not the process's alone, or were not there. */
  #faulted = false;
  /** Where the last read ended, and how much the next may take if it goes on from there. */
  #next = -1n;
  #stepBytes = FIRST_BYTES;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /**
   * Reads the pieces of the memory at `vaddr` to their places in `buffer`. @returns whether it got all of them; false
   * (pages that are not the process's alone, protected memory, no such process, no ffi) leaves them to another way
   */
  read(buffer: Buffer, vaddr: bigint, pieces: readonly ReadPiece[]): boolean {
    const c = this.#c;
    if (!c || this.#faulted) return false;
    this.#faultIn(buffer, pieces.at(-1));
    c.alarm(HUNG_S);
    const all = this.#readAll(c.address(buffer), vaddr, pieces); // allocated outside of V8's heap: it does not move
    c.alarm(0);
    return all;
  }

  #readAll(address: bigint, vaddr: bigint, pieces: readonly ReadPiece[]): boolean {
    let faults = this.#faults();
    let uncheckedBytes = 0;
    for (const { at, length } of pieces) {
      if (vaddr + BigInt(at) !== this.#next) this.#stepBytes = FIRST_BYTES;
      for (let done = at; done < at + length; ) {
        const bytes = Math.min(this.#stepBytes, at + length - done);
        if (!this.#readOnce(address + BigInt(done), vaddr + BigInt(done), bytes)) return false;
        done += bytes;
        uncheckedBytes += bytes;
        if (uncheckedBytes < FIRST_BYTES) continue;
        const now = this.#faults();
        this.#faulted = now - faults > STRAY_FAULTS;
        if (this.#faulted) return false;
        [faults, uncheckedBytes] = [now, 0];
        this.#stepBytes = Math.min(this.#stepBytes * 2, MOST_BYTES);
      }
      this.#next = vaddr + BigInt(at + length);
    }
    return true;
  }

  #readOnce(into: bigint, from: bigint, bytes: number): boolean {
    for (const [index, word] of [into, BigInt(bytes), from, BigInt(bytes)].entries())
      this.#iovs.writeBigUInt64LE(word, index * 8);
    return this.#c?.processVmRead(this.#pid, this.#iovs) === BigInt(bytes);
  }

  /** The kernel counts what it faults in for get_user_pages() as the caller's own (mm_account_fault(), since 5.9). */
  #faults(): number {
    return this.#c?.minorFaults() ?? 0;
  }

  /** The buffer's own first faults come here, where they are not counted. */
  #faultIn(buffer: Buffer, last: ReadPiece | undefined): void {
    const end = last ? last.at + last.length : 0;
    const from = this.#faultedIn.get(buffer) ?? 0;
    if (end <= from) return;
    for (let at = from; at < end; at += PAGE_BYTES) buffer[at] = 0;
    this.#faultedIn.set(buffer, end);
  }
}

const KCMP_VM = 1;
/** Some 10 µs each in a program that has just started. */
const MOST_PROCESSES = 4096;
const { ENOSYS } = constants.errno;

/**
 * Whether a process other than `processPid` has the same memory (clone(2) with CLONE_VM, vfork(2)): since Linux 5.16 such
 * a one is not ended with it, and can change it while we read. True where kcmp(2) is missing, or where looking would take
 * longer than reading another way does. One that not even root may look at (EPERM: a security module's domain) is none that
 * a container has.
 *
 * @param pid  of the process, or of a thread of it that still has its memory
 */
export function sharesMemory(pid: number, processPid: number): boolean {
  const c = libc();
  if (!c || (c.kcmp(pid, pid, KCMP_VM) < 0 && c.errno() === ENOSYS)) return true;
  using proc = new ProcDirectory("/proc");
  const names = proc.list(".", MOST_PROCESSES);
  const pids = names.map(Number).filter((other) => other > 0 && other !== processPid);
  return names.length === MOST_PROCESSES || pids.some((other) => c.kcmp(pid, other, KCMP_VM) === 0);
}
