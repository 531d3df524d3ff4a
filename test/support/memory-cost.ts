/** What a crash costs the memory cgroup that it happens in. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { compiled } from "./faults.ts";
import { MemoryCgroup } from "./memory-cgroup.ts";

/** In an emulated machine a second is a minute. */
export const PATIENCE_MS = 300_000;

export interface Cost {
  readonly pid: number;
  /** How far the cgroup's peak went beyond what was in use at the signal. */
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

/** One process of this kind crashes, under the pattern that is set. @param folder  scratch */
export async function costOf({ kind, mib, roomKib }: Crashing, folder: string): Promise<Cost> {
  await using cgroup = new MemoryCgroup();
  const args = [kind, `${mib}`, cgroup.procs];
  const child = spawn(compiled("cost"), args, { stdio: ["ignore", "pipe", "inherit"], cwd: folder });
  const [line] = (await once(child.stdout, "data", { signal: AbortSignal.timeout(PATIENCE_MS) })) as [Buffer];
  const pid = Number(`${line}`);
  const before = cgroup.usageBytes();
  if (roomKib !== undefined) cgroup.limit(before + roomKib * 1024);
  else cgroup.forgetPeak();
  process.kill(pid, "SIGSEGV");
  for (const end = performance.now() + PATIENCE_MS; isThere(pid); await sleep(10))
    assert.ok(performance.now() < end, `${kind}: still held after ${PATIENCE_MS / 1000} s`);
  const movedBytes = cgroup.peakBytes() - before;
  return { pid, movedBytes, oomKills: cgroup.oomKills(), left: cgroup.pids().length };
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
