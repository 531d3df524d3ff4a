import { spawn } from "node:child_process";
import { PROGRAM } from "../../support/paths.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface HowToRun {
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  /** Called with the child, to close a pipe or send a signal. */
  readonly meddle?: (child: ReturnType<typeof start>) => void;
}

/** The program as a user calls it; stdout and stderr are pipes, stdin is empty. */
export async function run(args: readonly string[], how: HowToRun = {}): Promise<Ended> {
  const child = start(args, how);
  how.meddle?.(child);
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.toArray().catch(() => []),
    child.stderr.setEncoding("utf8").toArray(),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]);
  return { code, stdout: Buffer.concat(stdout), stderr: stderr.join("") };
}

/** What bin/build puts into the executable. */
const AS_BUILT = ["--disable-warning=ExperimentalWarning"];

const start = (args: readonly string[], { env, uid }: HowToRun) =>
  spawn(process.execPath, [...AS_BUILT, PROGRAM, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
    ...(uid !== undefined && { uid }),
  });
