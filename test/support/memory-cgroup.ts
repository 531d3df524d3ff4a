/** A memory cgroup of its own, on whichever hierarchy this machine has the memory controller. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const V1 = "/sys/fs/cgroup/memory";
const V2 = "/sys/fs/cgroup";
/**
 * What the charges of some pages may differ by from one run to the next: the kernel takes 64 pages a processor at once, whatever
 * is asked for (MEMCG_CHARGE_BATCH), and 16 pages for what is noise.
 */
export const ROUNDED_BYTES = (64 * availableParallelism() + 16) * 4096;

/** Files by version; `peak` has been there since Linux 5.19 on v2. */
const FILES = {
  1: { root: V1, usage: "memory.usage_in_bytes", peak: "memory.max_usage_in_bytes", limit: "memory.limit_in_bytes" },
  2: { root: V2, usage: "memory.current", peak: "memory.peak", limit: "memory.max" },
} as const;

let made = 0;

export class MemoryCgroup implements AsyncDisposable {
  readonly version = existsSync(join(V1, "cgroup.procs")) ? 1 : 2;
  readonly path: string;
  readonly #files = FILES[this.version];
  /** On v2 a write resets the peak for the descriptor that wrote (since Linux 6.12), on v1 for all. */
  #peak: number | undefined;

  constructor() {
    if (this.version === 2) writeFileSync(join(V2, "cgroup.subtree_control"), "+memory");
    this.path = join(this.#files.root, `coredump-test-${process.pid}-${++made}`);
    mkdirSync(this.path);
  }

  /** A process that writes 0 here is charged to this cgroup from then on, and so is what it starts. */
  get procs(): string {
    return join(this.path, "cgroup.procs");
  }

  usageBytes(): number {
    return this.#number(this.#files.usage);
  }

  /** The most that was in use since `forgetPeak()`. */
  peakBytes(): number {
    if (this.#peak === undefined) return this.#number(this.#files.peak);
    const text = Buffer.alloc(32);
    return Number(text.toString("latin1", 0, readSync(this.#peak, text, 0, text.length, 0)));
  }

  /** @throws Error where the kernel cannot (v2 before 6.12) and what was in use before would hide what comes */
  forgetPeak(): void {
    this.#peak = resetPeak(join(this.path, this.#files.peak));
    const hiddenBytes = this.peakBytes() - this.usageBytes();
    if (hiddenBytes > ROUNDED_BYTES) throw new Error(`${hiddenBytes} bytes were in use before`);
  }

  limit(bytes: number): void {
    writeFileSync(join(this.path, this.#files.limit), `${bytes}`);
  }

  oomKills(): number {
    const text = readFileSync(join(this.path, this.version === 1 ? "memory.oom_control" : "memory.events"), "latin1");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1]);
  }

  pids(): number[] {
    const pids = readFileSync(this.procs, "latin1");
    return pids.split("\n").filter(Boolean).map(Number);
  }

  #number(file: string): number {
    return Number(readFileSync(join(this.path, file), "latin1"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#peak !== undefined) closeSync(this.#peak);
    for (const pid of this.pids()) process.kill(pid, "SIGKILL");
    for (let left = 100; existsSync(this.path) && left > 0; left--) {
      try {
        rmdirSync(this.path);
      } catch {
        await sleep(50); // busy until the last process is reaped
      }
    }
  }
}

/** @returns the descriptor that wrote; undefined where the kernel takes no write (EINVAL, to root) */
function resetPeak(path: string): number | undefined {
  const fd = openSync(path, "r+");
  try {
    writeSync(fd, "0");
    return fd;
  } catch {
    closeSync(fd);
    return undefined;
  }
}
