/** A handler that saves the kernel's whole core before ours sees it (test/testbed/programs/tee-handler.c). */
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { program } from "./paths.ts";
import { tempDir } from "./tmp.ts";

/** One crash, seen by the kernel, by the tee, and by the handler behind it. */
export interface Teed {
  /** In the initial namespace, as `-P=%P` said. */
  readonly pid: number;
  /** The core as the kernel wrote it. */
  readonly core: string;
  /** The kernel's arguments. */
  readonly args: string[];
  /** /proc/PID/cgroup while the process was held. */
  readonly cgroup: string;
  readonly exitStatus: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Tee extends Disposable {
  /** Scratch, gone with the tee. */
  readonly path: string;
  /** The core_pattern for it, with the kernel's arguments as given; `-P=%P` must be one of them. */
  pattern(args: string): string;
  /** What was seen, once `count` handlers have ended. */
  crashes(count: number, timeoutMs?: number): Promise<Teed[]>;
}

/** @param handler absolute path and first arguments of the handler behind the tee */
export function tee(handler: readonly string[]): Tee {
  const folder = tempDir();
  const file = (pid: string, what: string): string => readFileSync(join(folder.path, `${pid}.${what}`), "latin1");
  const pids = (): string[] => readdirSync(folder.path).flatMap((name) => /^(\d+)\.exit$/.exec(name)?.[1] ?? []);
  const teed = (pid: string): Teed => ({
    pid: Number(pid),
    core: join(folder.path, `${pid}.core`),
    args: file(pid, "args").trimEnd().split("\n"),
    cgroup: file(pid, "cgroup"),
    exitStatus: Number(file(pid, "exit")),
    stdout: file(pid, "stdout"),
    stderr: file(pid, "stderr"),
  });
  writeFileSync(join(folder.path, "handler"), `${handler.join("\n")}\n`);
  symlinkSync(program("tee-handler"), join(folder.path, "tee"));
  return {
    path: folder.path,
    pattern: (args) => `|${folder.path}/tee ${args}`,
    async crashes(count, timeoutMs = 120_000) {
      const end = performance.now() + timeoutMs;
      while (pids().length < count) {
        if (performance.now() > end) throw new Error(`${pids().length} of ${count} crashes seen in ${timeoutMs} ms`);
        await sleep(20);
      }
      return pids().map(teed);
    },
    [Symbol.dispose]: () => rmSync(folder.path, { recursive: true, force: true }),
  };
}
