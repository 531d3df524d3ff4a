/** Processes that are made to crash on this machine, each timed from the signal to its parent's waitpid. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { program } from "../support/paths.ts";
import { compiled } from "./programs.ts";

const exec = promisify(execFile);

/** Crashes what it is for. @returns seconds that it was held */
export type Crash = () => Promise<number>;

/** On the host; the command says when it is ready. */
export const onHost =
  (...command: readonly string[]): Crash =>
  async () =>
    Number((await exec(program("reaper"), command)).stdout.split("\n").at(-2));

/** The same, on a machine that has so much memory at hand. */
const warmed = (mib: number, ...command: readonly string[]): Crash => onHost(compiled("warm"), `${mib}`, ...command);

/** The system's own Python where there is one: a version manager's shim takes the signal for itself. */
export const PYTHON = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

/** 1 GB of small objects; no page is zero. */
const OBJECTS = `
import os, signal
heap = [b"%d" % i * 50 for i in range(2_700_000)]`;
const WAIT = `
print("ready", flush=True)
signal.pause()`;
const HEAP = OBJECTS + WAIT;

/** The same, shared copy-on-write with a process that lives as long, as the workers of most servers share theirs. */
const FORKED_HEAP = `${OBJECTS}
ends = os.pipe()
if os.fork() == 0:
    os.close(ends[1])
    os.read(ends[0], 1)
    os._exit(0)${WAIT}`;

/** 1 GB as an upload meets it: half of it small objects, a quarter noise, a quarter zeros. */
export const MIXED_HEAP = `
import os, signal
heap = [(i, str(i), i * 0.5) for i in range(2_600_000)]
noise = [os.urandom(1 << 20) for _ in range(250)]
zeros = [bytes(1 << 20) + b"x" for _ in range(250)]
print("ready", flush=True)
signal.pause()`;

/** 2 GiB of anonymous memory, one page in 16 MiB touched. */
export const sparse = (): Crash => warmed(2200, program("crash"), "-w", "1", "0", "2048");
export const dense = (): Crash => warmed(1300, PYTHON, "-c", HEAP);
export const denseForked = (): Crash => warmed(1300, PYTHON, "-c", FORKED_HEAP);
/** crash(1)'s arguments for a process of about 9 MB that waits for its signal. */
export const TINY = ["-w", "8"] as const;

/** So many tiny ones at once. @returns the seconds of all, by their number */
export const burst =
  (count: number): Crash =>
  async () => {
    const start = performance.now();
    await Promise.all(Array.from({ length: count }, onHost(program("crash"), ...TINY)));
    return (performance.now() - start) / 1000 / count;
  };
