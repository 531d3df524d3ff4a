/** Processes that crash inside a real CRI container, timed there by their parent, on the host's word. */
import { type Engine, startEngine } from "../support/engines.ts";
import type { Crash } from "./crashes.ts";
import { HOST_FOLDERS, OBEY, Orders } from "./orders.ts";

export interface CrashingContainer extends AsyncDisposable {
  readonly engine: Engine;
  readonly containerId: string;
  crash(...command: readonly string[]): Crash;
}

/** A pod with one container that waits for orders. @param folder on the host */
export async function crashingContainer(folder: string): Promise<CrashingContainer> {
  const orders = new Orders(folder);
  const engine = await startEngine("containerd-2");
  const pod = await engine.cri.runPod();
  const containerId = await engine.cri.runContainer(pod, {
    command: OBEY,
    mounts: { "/bench": folder, ...Object.fromEntries(HOST_FOLDERS.map((path) => [path, path])) },
  });
  return {
    engine,
    containerId,
    crash: (...command) => orders.crash(...command),
    async [Symbol.asyncDispose]() {
      orders[Symbol.dispose]();
      await engine[Symbol.asyncDispose]();
    },
  };
}
