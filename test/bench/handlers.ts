/** The handlers that are compared: ours, and `cat` into a file, which keeps the bytes and knows nothing. */
import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { patternFor } from "../../src/node/kernel/core-pattern.ts";

export interface Handler {
  readonly name: string;
  /** What core_pattern becomes. */
  readonly pattern: string;
  /** Waits until the crash of that many processes is dealt with altogether, not only until they are released. @throws when one was lost */
  settle(crashes: number): Promise<void>;
  /** Removes what it kept: outside the timing, because truncating a gigabyte costs 0.2 s. */
  clear(): void;
}

const SETTLE_MS = 120_000;

export async function until(done: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + SETTLE_MS; !done(); await sleep(10))
    if (performance.now() > end) throw new Error(`Cannot measure: ${what} after ${SETTLE_MS / 1000} s`);
}

export interface Ours extends Handler {
  readonly folder: string;
  readonly program: string;
  readonly cache: string;
  /** The records of all crashes since the last `clear()`. */
  records(): DumpRecord[];
  /** Lets later crashes be seen by a pod's owner as on a node: the run-time's socket. */
  settings(settings: Record<string, string>): void;
}

/** A copy of the executable as it would be installed, with a cache of its own. @param folder  short: a pattern holds 127 bytes */
export function ours(binary: string, folder: string): Ours {
  const cache = join(folder, "cache");
  mkdirSync(folder, { recursive: true });
  const program = join(folder, "coredump-detector");
  cpSync(binary, program);
  cpSync(join(dirname(binary), "lib"), join(folder, "lib"), { recursive: true });
  const settings = (more: Record<string, string>) =>
    writeFileSync(join(folder, "settings.json"), JSON.stringify({ "dump-dir": cache, "free-share": "1", ...more }), {
      mode: 0o600,
    });
  settings({});
  const records = () =>
    globSync(join(cache, "*/record.json")).map((path) => JSON.parse(readFileSync(path, "utf8")) as DumpRecord);
  const inTheWorks = (crashes: number) => {
    const states = records();
    return states.length < crashes || states.some(({ state }) => state === "Capturing") || running(`${folder}/`);
  };
  return {
    name: binary,
    pattern: patternFor(program, release()),
    ...{ folder, program, cache },
    records,
    settings,
    async settle(crashes) {
      await until(() => !inTheWorks(crashes), "a dump is still not Captured");
      const whole = records().filter(({ state, core }) => state === "Captured" && core.complete).length;
      const ends = records().map(({ state, executable, message }) => `${executable} ${state} ${message ?? ""}`);
      if (whole < crashes)
        throw new Error(`Cannot measure: of ${crashes} dumps ${whole} are complete: ${ends.join("; ")}`);
    },
    clear: () => rmSync(cache, { recursive: true, force: true }),
  };
}

/** Whether a process runs whose command line begins so. */
export const running = (beginning: string): boolean =>
  globSync("/proc/[0-9]*/cmdline").some((path) => {
    try {
      return readFileSync(path, "latin1").startsWith(beginning);
    } catch {
      return false; // it has just ended
    }
  });

/** `cat > file`, a fresh file each time. */
export function cat(folder: string): Handler {
  const script = join(folder, "handler");
  const cores = join(folder, "cores");
  mkdirSync(cores, { recursive: true });
  writeFileSync(script, `#!/bin/sh\nexec /bin/cat > ${cores}/$1\n`);
  chmodSync(script, 0o755);
  const sizes = () => globSync(join(cores, "*")).map((path) => statSync(path).size);
  return {
    name: "cat",
    pattern: `|${script} %P`,
    async settle(crashes) {
      const kept = sizes();
      if (kept.length < crashes || kept.includes(0)) throw new Error(`Cannot measure: cat kept ${kept.length} cores`);
    },
    clear: () => {
      for (const path of globSync(join(cores, "*"))) rmSync(path);
    },
  };
}
