import { spawn } from "node:child_process";
import { runPlugin } from "../../../src/cli/kubectl/cli.ts";
import { PROGRAM } from "../../support/paths.ts";
import type { Ended } from "../commands/run.ts";

export interface How {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Called with the child, to send a signal. */
  readonly meddle?: (child: ReturnType<typeof start>) => void;
  readonly called?: string;
}

/** The program as kubectl calls its plugin; stdout and stderr are pipes, stdin is empty. */
export async function plugin(args: readonly string[], how: How = {}): Promise<Ended> {
  const child = start(args, how);
  how.meddle?.(child);
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.toArray().catch(() => []),
    child.stderr.setEncoding("utf8").toArray(),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]);
  return { code, stdout: Buffer.concat(stdout), stderr: stderr.join("") };
}

const start = (args: readonly string[], { env, cwd, called = "kubectl-coredump" }: How) =>
  spawn(process.execPath, ["--disable-warning=ExperimentalWarning", PROGRAM, ...args], {
    argv0: called,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", ...env },
    ...(cwd !== undefined && { cwd }),
  });

/** The same at a terminal, where somebody types. @returns what the terminal showed */
export async function atTerminal(args: readonly string[], typed: string, env: NodeJS.ProcessEnv) {
  const words = [process.execPath, "--disable-warning=ExperimentalWarning", PROGRAM, ...args];
  const line = `exec -a kubectl-coredump ${words.map((word) => `'${word}'`).join(" ")}`;
  const child = spawn("script", ["-qec", line, "/dev/null"], {
    env: { ...process.env, SHELL: "/bin/bash", TERM: "dumb", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.write(typed); // no end of input: the terminal would say so to gdb
  const [chunks, code] = await Promise.all([
    child.stdout.setEncoding("utf8").toArray(),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]);
  child.stdin.destroy();
  return { code, stdout: chunks.join("").replaceAll("\r\n", "\n") };
}

/** The same in this process, where words are all that is looked at: starting a process takes longer than most commands. */
export async function inProcess(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  let output = "";
  const streams = [process.stdout, process.stderr];
  for (const stream of streams) stream.setMaxListeners(0); // each run adds one of its own
  const before = streams.map(({ write }) => write);
  const taking = (write: typeof process.stdout.write, stream: NodeJS.WriteStream) =>
    ((chunk: string | Uint8Array, ...rest: []) => {
      if (typeof chunk !== "string") return write.call(stream, chunk, ...rest); // the test runner's own
      output += chunk;
      (rest as (() => void)[]).at(-1)?.();
      return true;
    }) as typeof process.stdout.write;
  for (const [at, stream] of streams.entries()) stream.write = taking(before[at] as typeof stream.write, stream);
  try {
    return { code: await runPlugin(args), output };
  } finally {
    for (const [at, stream] of streams.entries()) stream.write = before[at] as typeof stream.write;
  }
}
