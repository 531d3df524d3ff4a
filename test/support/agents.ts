/** Agents of a test: the real command on this machine, as a node's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./paths.ts";

export interface Agent extends AsyncDisposable {
  readonly pid: number;
  /** Ends it as systemd and kubelets do. @returns its exit code */
  stop(): Promise<number | null>;
  /** Ends it as an OOM killer does. */
  kill(): Promise<void>;
}

/** @param log file that gets what it says */
export function startAgent(log: string, flags: readonly string[], env: NodeJS.ProcessEnv = {}): Agent {
  const out = openSync(log, "a");
  const args = ["src/main.ts", "agent", "--v=1", "--metrics-port=0", ...flags];
  const child = spawn(join(ROOT, "bin/node"), ["--disable-warning=ExperimentalWarning", ...args], {
    cwd: ROOT,
    stdio: ["ignore", out, out],
    env: { ...process.env, ...env },
  });
  const ended = once(child, "exit");
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
    return child.exitCode;
  };
  return {
    pid: child.pid ?? 0,
    stop: () => end("SIGTERM"),
    kill: async () => void (await end("SIGKILL")),
    [Symbol.asyncDispose]: async () => void (await end("SIGKILL")),
  };
}
