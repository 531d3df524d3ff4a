/** The machine's one core_pattern, for the time of a test. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { TESTBED_COMMAND } from "./paths.ts";

export interface PatternOptions {
  /** core_pipe_limit; default 64. With 0 the kernel does not hold the crashed process. */
  limit?: number;
  /** fs.suid_dumpable; default: as it is. */
  suidDumpable?: 0 | 1 | 2;
}

/**
 * Sets the pattern, under the lock that all its users on this machine hold, until disposed of.
 *
 * A process of its own holds it until its standard input ends, so the former values come back however we end.
 */
export async function holdPattern(pattern: string, options: PatternOptions = {}): Promise<AsyncDisposable> {
  const dumpable = options.suidDumpable === undefined ? [] : ["-d", `${options.suidDumpable}`];
  const holder = spawn(TESTBED_COMMAND, ["pattern", "-l", `${options.limit ?? 64}`, ...dumpable, "-h", pattern], {
    stdio: ["pipe", "pipe", "pipe"],
    detached: true, // Ctrl-C is for us: the holder must live to restore
  });
  const stderr = holder.stderr.setEncoding("utf8").toArray();
  const closed = once(holder, "close");
  await Promise.race([once(holder.stdout, "data"), closed]);
  if (holder.exitCode !== null) throw new Error(`Cannot set core_pattern "${pattern}": ${(await stderr).join("")}`);
  return {
    [Symbol.asyncDispose]: async () => {
      holder.stdin.end();
      await closed;
    },
  };
}

/** Runs `work` under that pattern. */
export async function withPattern<T>(pattern: string, work: () => Promise<T>, options?: PatternOptions): Promise<T> {
  await using _held = await holdPattern(pattern, options);
  return await work();
}
