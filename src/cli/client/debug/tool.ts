/** Programs of this machine: engines, kubectl, gdb. Arguments are never a shell's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";

/** For what a killed program had printed. */
const DRAIN_MS = 1000;

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** It was killed because it went beyond this bound; what it had printed until then is here. */
  readonly cut?: "time" | "output";
}

export interface Bounds {
  readonly timeoutMs: number;
  /** Of stdout; of stderr as much again. */
  readonly outputBytes: number;
}

/** Whether there is such a program on the PATH, or at that path. */
export const isThere = (program: string): boolean =>
  program.includes("/")
    ? existsSync(program)
    : (process.env["PATH"] ?? "").split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));

/** Runs it to its end. @throws the signal's reason, or what spawn(2) said */
export async function run(
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
  cwd?: string,
): Promise<Ended> {
  signal?.throwIfAborted();
  const where = cwd === undefined ? {} : { cwd };
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...where, ...(signal && { signal }) });
  const ended = once(child, "close") as Promise<[number | null]>;
  const [stdout, stderr, [code]] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]).catch(
    (error) => {
      signal?.throwIfAborted();
      throw error;
    },
  );
  signal?.throwIfAborted(); // Ctrl-C goes to the child as well, which may have been faster
  return { exitCode: code ?? 1, stdout: stdout.toString(), stderr: stderr.toString() };
}

/**
 * The same for a program that may go wrong on what it reads. Whatever ends it is SIGKILL: a debugger that walks a list without end
 * notes other signals for later, and there is no later.
 */
export async function runBounded(
  program: string,
  args: readonly string[],
  { timeoutMs, outputBytes }: Bounds,
  signal: AbortSignal,
  cwd?: string,
): Promise<Ended> {
  signal.throwIfAborted();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...(cwd !== undefined && { cwd }) });
  let cut: "time" | "output" | undefined;
  const kill = (why?: "time" | "output"): void => {
    cut ??= why;
    child.kill("SIGKILL");
    // Not at once: what it had printed is still in the pipes. But a child of its own may hold them open.
    setTimeout(() => [child.stdout, child.stderr].map((stream) => stream.destroy()), DRAIN_MS).unref();
  };
  const stop = (): void => kill();
  signal.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(() => kill("time"), timeoutMs);
  try {
    const ended = once(child, "close") as Promise<[number | null]>;
    const taken = [child.stdout, child.stderr].map((stream) => taking(stream, outputBytes, () => kill("output")));
    const [[stdout = "", stderr = ""], [code]] = await Promise.all([Promise.all(taken), ended]);
    signal.throwIfAborted();
    return { exitCode: code ?? 1, stdout, stderr, ...(cut && { cut }) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** What comes, up to a bound; beyond it, or where the stream was closed, what had come. */
async function taking(stream: Readable, mostBytes: number, onMore: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk.subarray(0, mostBytes - bytes));
      bytes += chunk.length;
      if (bytes <= mostBytes) continue;
      onMore();
      break; // which closes the stream
    }
  } catch {
    // closed by us
  }
  return Buffer.concat(chunks).toString();
}

/** The last thing that it complained of: the first lines are often progress. */
export const complaint = ({ stderr, stdout, exitCode }: Ended): string =>
  (stderr.trim() || stdout.trim()).split("\n").at(-1)?.trim() || `it ended with ${exitCode}`;
