/** What a crash costs the memory cgroup that it happens in. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { compiled } from "./faults.ts";
import { MemoryCgroup } from "./memory-cgroup.ts";
import { holdPattern } from "./pattern.ts";

/** In an emulated machine a second is a minute. */
export const PATIENCE_MS = 300_000;

export interface Cost {
  /** How far the cgroup's peak went up from the signal on. */
  readonly movedBytes: number;
  readonly oomKills: number;
  /** The processes of the cgroup that live on. */
  readonly left: number;
}

export interface Crashing {
  /** Of cost.c, which says what there is. */
  readonly kind: string;
  readonly mib: number;
  /** Room that the cgroup has from the signal on; default: no limit. */
  readonly roomKib?: number;
}

/** One process of this kind crashes under the pattern. @param folder  scratch */
export async function costOf({ kind, mib, roomKib }: Crashing, pattern: string, folder: string): Promise<Cost> {
  await using cgroup = new MemoryCgroup();
  const command = `${cgroup.enter}; exec ${compiled("cost")} ${kind} ${mib}`;
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["ignore", "pipe", "inherit"], cwd: folder });
  const [line] = (await once(child.stdout, "data", { signal: AbortSignal.timeout(PATIENCE_MS) })) as [Buffer];
  const pid = Number(`${line}`);
  if (roomKib !== undefined) cgroup.limit(cgroup.usageBytes() + roomKib * 1024);
  cgroup.forgetPeak();
  const before = cgroup.peakBytes();
  {
    await using _held = await holdPattern(pattern);
    process.kill(pid, "SIGSEGV");
    for (const end = performance.now() + PATIENCE_MS; isThere(pid); await sleep(10))
      assert.ok(performance.now() < end, `${kind}: still held after ${PATIENCE_MS / 1000} s`);
  }
  return { movedBytes: cgroup.peakBytes() - before, oomKills: cgroup.oomKills(), left: cgroup.pids().length };
}

function isThere(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** `cat > file`: what the kernel's own dump costs. @returns its pattern */
export function catPattern(folder: string): string {
  const script = join(folder, "cat");
  writeFileSync(script, `#!/bin/sh\nexec /bin/cat > ${folder}/$1.core\n`);
  chmodSync(script, 0o700);
  return `|${script} %P`;
}
