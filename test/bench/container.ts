/** Processes that crash inside a real CRI container, timed there by their parent, on the host's word. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Engine, startEngine } from "../support/engines.ts";
import type { Crash } from "./crashes.ts";
import { until } from "./handlers.ts";

export interface CrashingContainer extends AsyncDisposable {
  readonly engine: Engine;
  readonly containerId: string;
  crash(...command: readonly string[]): Crash;
}

/** Host folders that a dynamic program of the host finds in the container too. */
const HOST_FOLDERS = ["/usr", "/lib", "/lib64"];

/** A pod with one container that waits for orders, so that nothing but the crash happens while it is timed. @param folder on the host */
export async function crashingContainer(folder: string): Promise<CrashingContainer> {
  mkdirSync(folder, { recursive: true });
  const orders = join(folder, "orders");
  const answer = join(folder, "answer");
  execFileSync("mkfifo", [orders]);
  const engine = await startEngine("containerd-2");
  const loop =
    "while read -r order; do /bin/reaper $order > /bench/part; mv /bench/part /bench/answer; done < /bench/orders";
  const pod = await engine.cri.runPod();
  const containerId = await engine.cri.runContainer(pod, {
    command: ["/bin/sh", "-c", loop],
    mounts: { "/bench": folder, ...Object.fromEntries(HOST_FOLDERS.map((path) => [path, path])) },
  });
  writeFileSync(join(folder, "wait.py"), 'import signal\nprint("ready", flush=True)\nsignal.pause()\n');
  const fd = openSync(orders, "r+");
  const crash =
    (...command: readonly string[]): Crash =>
    async () => {
      writeFileSync(answer, "");
      writeSync(fd, `${command.join(" ")}\n`);
      const text = () => readFileSync(answer, "utf8");
      await until(() => text() !== "", `${command[0]} in the container has not crashed`);
      return Number(text());
    };
  return {
    engine,
    containerId,
    crash,
    async [Symbol.asyncDispose]() {
      closeSync(fd);
      await engine[Symbol.asyncDispose]();
    },
  };
}
