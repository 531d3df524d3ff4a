/** Programs of this machine: engines, kubectl, gdb. Arguments are never a shell's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { buffer } from "node:stream/consumers";

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
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

/** The last thing that it complained of: the first lines are often progress. */
export const complaint = ({ stderr, stdout, exitCode }: Ended): string =>
  (stderr.trim() || stdout.trim()).split("\n").at(-1)?.trim() || `it ended with ${exitCode}`;
