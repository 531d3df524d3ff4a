/** A memory cgroup of its own, on whichever hierarchy this machine has the memory controller. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const V1 = "/sys/fs/cgroup/memory";
const V2 = "/sys/fs/cgroup";
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

  constructor() {
    if (this.version === 2) writeFileSync(join(V2, "cgroup.subtree_control"), "+memory");
    this.path = join(this.#files.root, `coredump-test-${process.pid}-${++made}`);
    mkdirSync(this.path);
  }

  /** A shell's words that put it here: what it becomes, and what that starts, is charged to this cgroup. */
  get enter(): string {
    return `echo $$ > ${join(this.path, "cgroup.procs")}`;
  }

  usageBytes(): number {
    return this.#number(this.#files.usage);
  }

  /** The most that was ever in use; on v1 since `forgetPeak()`. */
  peakBytes(): number {
    return this.#number(this.#files.peak);
  }

  forgetPeak(): void {
    if (this.version === 1) writeFileSync(join(this.path, this.#files.peak), "0");
  }

  limit(bytes: number): void {
    writeFileSync(join(this.path, this.#files.limit), `${bytes}`);
  }

  oomKills(): number {
    const text = readFileSync(join(this.path, this.version === 1 ? "memory.oom_control" : "memory.events"), "latin1");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1]);
  }

  pids(): number[] {
    const pids = readFileSync(join(this.path, "cgroup.procs"), "latin1");
    return pids.split("\n").filter(Boolean).map(Number);
  }

  #number(file: string): number {
    return Number(readFileSync(join(this.path, file), "latin1"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
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
